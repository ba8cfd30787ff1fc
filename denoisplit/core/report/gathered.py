"""What a report is about: everything that was read or measured for it."""

from collections.abc import Mapping
from typing import Final

import attrs

from denoisplit.core.arrays import AnyArray
from denoisplit.core.assessment.noise_agreement import NoiseAgreement
from denoisplit.core.assessment.scores import EvaluatedField, Scores
from denoisplit.core.images.bases import Field, PixelSize
from denoisplit.core.images.noise_correlation import NoiseCorrelation
from denoisplit.core.prediction.outputs.result import Prediction
from denoisplit.core.storage.bundle import Bundle
from denoisplit.core.storage.run_folder import RunFolder

LEVEL: Final = 0.9
"""Probability of the intervals that a report shows."""

_GALLERY: Final = 6
"""Largest number of posterior samples that are shown."""

_CELLS: Final = 16
"""Largest number of pictures that show the samples of one field, if two samples are no more."""


def shown_samples(channels: int, drawn: int) -> int:
    """How many posterior samples of a field are shown: those that were drawn, as far as there is room.

    Two are, however many channels there are: from one nobody sees what is uncertain.

    Args:
        channels: number of channels.
        drawn: number of samples that its mean and std are from.
    """
    return min(drawn, max(2, min(_GALLERY, _CELLS // channels)))


@attrs.frozen(kw_only=True)
class Predicted:
    """One predicted field or image, or a part of it, all in counts.

    Attributes:
        name: name of the field or image.
        mixed: mixed image [(z) y x].
        mean: [c (z) y x].
        std: std of the samples [c (z) y x]; None for one sample.
        calibrated_std: std after calibration; None without one.
        interval: ends of the interval of ``LEVEL`` [c (z) y x], calibrated if possible; None without a std.
        samples: the first posterior samples [s c (z) y x].
        truth: clean channels [c (z) y x]; None if they are not known.
        misfit: chi-square [(z) y x]; None if it was not measured.
        residual: what the predicted channels leave of the mixed image, in units of the std of its noise
            [(z) y x]; None if it was not measured.
        pixel_size: pixel size along (z) y x.
    """

    name: str
    mixed: AnyArray = attrs.field(eq=False, repr=False)
    mean: AnyArray = attrs.field(eq=False, repr=False)
    std: AnyArray | None = attrs.field(default=None, eq=False, repr=False)
    calibrated_std: AnyArray | None = attrs.field(default=None, eq=False, repr=False)
    interval: tuple[AnyArray, AnyArray] | None = attrs.field(default=None, eq=False, repr=False)
    samples: AnyArray = attrs.field(eq=False, repr=False)
    truth: AnyArray | None = attrs.field(default=None, eq=False, repr=False)
    misfit: AnyArray | None = attrs.field(default=None, eq=False, repr=False)
    residual: AnyArray | None = attrs.field(default=None, eq=False, repr=False)
    pixel_size: PixelSize | None = None

    @property
    def spread(self) -> AnyArray | None:
        """The calibrated std, or that of the samples where there is none [c (z) y x]."""
        return self.std if self.calibrated_std is None else self.calibrated_std


@attrs.frozen(kw_only=True)
class Looked:
    """How much was looked at.

    Attributes:
        source: ``test`` or ``validation``; empty if no image could be read.
        fields: number of fields that the source has.
        side: pixels a side of the centres that were predicted.
        samples: posterior samples of each.
        missing: why there are no images; empty if there are.
        seen: sentences on whether the network has seen the fields before.
        supervision: what the network learns from.
    """

    source: str = ""
    fields: int = 0
    side: int
    samples: int
    missing: str = ""
    seen: tuple[str, ...] = ()
    supervision: str = ""


@attrs.frozen(kw_only=True)
class RunFindings:
    """Everything about a run.

    Attributes:
        folder: its folder.
        bundle: its description.
        device: the device of the report's predictions, in words.
        looked: how much was looked at.
        train: some training fields as the data set gives them.
        held_out: some held-out fields as the data set gives them.
        predicted: the fields that were predicted.
        evaluated: those of them with a clean reference.
        scores: their scores; None without a clean reference.
        noise: measured against modelled noise, by channel; empty if it could not be measured.
        noise_note: why not; empty if it was.
        correlation: correlation of the noise of each channel, where it could be measured.
    """

    folder: RunFolder
    bundle: Bundle = attrs.field(eq=False, repr=False)
    device: str
    looked: Looked
    train: tuple[Field, ...] = ()
    held_out: tuple[Field, ...] = ()
    predicted: tuple[Predicted, ...] = ()
    evaluated: tuple[EvaluatedField, ...] = ()
    scores: Scores | None = None
    noise: tuple[NoiseAgreement, ...] = ()
    noise_note: str = ""
    correlation: Mapping[str, NoiseCorrelation] = attrs.field(factory=dict)

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels."""
        return self.bundle.spec.channels


@attrs.frozen(kw_only=True)
class ImageFindings:
    """Everything about the prediction of an image.

    Attributes:
        folder: folder of the run.
        bundle: its description.
        device: the device of the report's predictions, in words.
        source: origin of the image, its path for a file.
        shape: its number of positions along every axis.
        axes: one letter per axis.
        place: position of the plane that is shown, such as ``t=3``; empty for the only one.
        plane: shape of this plane [(z) y x].
        part: first pixel of the part that is shown, and one past its last, along (z) y x.
        overview: the plane [(z) y x], counts; thinned if it is large.
        predicted: the part.
        seed: seed of the samples.
        prediction: the whole prediction.
    """

    folder: RunFolder
    bundle: Bundle = attrs.field(eq=False, repr=False)
    device: str
    source: str
    shape: tuple[int, ...]
    axes: str
    place: str
    plane: tuple[int, ...]
    part: tuple[tuple[int, ...], tuple[int, ...]]
    overview: AnyArray = attrs.field(eq=False, repr=False)
    predicted: Predicted
    seed: int
    prediction: Prediction
