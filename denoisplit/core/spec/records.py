"""The experiment as records: the content of a spec file, and its components once they are looked up."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

import attrs
from attrs.validators import ge, gt, in_, le, lt, min_len, optional

from denoisplit.core.images.degradation import Degradation as Degradation
from denoisplit.core.images.intensity_range import Background as Background
from denoisplit.core.images.intensity_range import Clip as Clip
from denoisplit.core.images.mixing import Mixing as Mixing
from denoisplit.core.images.mixing import drawn_anew
from denoisplit.core.images.normalisation import Normalisation as Normalisation
from denoisplit.core.images.splits import Split as Split
from denoisplit.core.network.calibration import SumCalibrator
from denoisplit.core.registry.component import Component
from denoisplit.core.spec.chosen import BASE as BASE
from denoisplit.core.spec.chosen import BY_NAME as BY_NAME
from denoisplit.core.spec.chosen import KIND as KIND
from denoisplit.core.spec.chosen import SAID as SAID
from denoisplit.core.spec.chosen import Chosen as Chosen
from denoisplit.core.spec.training import TrainingSpec as TrainingSpec
from denoisplit.core.validators import QUIET, described_by

MOST_SAMPLES: Final = 100_000
"""Most posterior samples: further ones change nothing that can be seen, and a prediction takes for ever."""

_NAMES: Final = {
    SAID: {
        "uniqueItems": True,
        "items": {"type": "string", "pattern": r"^[^\u0000-\u001F\u007F-\u009F]*$"},
    }
}

PLUGINS = "plugins"
"""Field of the plugin modules, which are imported before any component is looked up."""


@attrs.frozen(kw_only=True)
class DataSpec:
    """Images for training, validation and test, and their preparation.

    train: fields to learn from (noisy targets).
    validation: fields for early stopping and calibration; None takes a fraction of ``train``.
    test: fields for ``evaluate``; None takes those that ``split`` sets aside, or else ``validation``.
    recorded: names of the channels in the data sets, if the network denoises one of them or, with ``channels:
        [mixed]``, the mixed image; empty if they are the channels of the network.
    validation_fraction: fraction of the training fields to hold out if ``validation`` is not given.
    split: choice of the training fields that are held out.
    mixing: formation of the mixed image.
    degradation: synthetic noise on all images.
    background: background subtracted from all images.
    clip: intensity at which all images are cut off.
    statistics: pixels from which the normalisation is computed.
    noise_pairs: pixels to which noise models are fitted: ``repeats`` of one field, ``clean`` references,
        ``bootstrap`` (what neighbours tell of a pixel), or ``auto`` (the first of these that the data has).
    """

    train: Chosen = attrs.field(metadata={KIND: "dataset"})
    validation: Chosen | None = attrs.field(default=None, metadata={KIND: "dataset"})
    test: Chosen | None = attrs.field(default=None, metadata={KIND: "dataset"})
    recorded: tuple[str, ...] = attrs.field(default=(), metadata=_NAMES)
    validation_fraction: float = attrs.field(default=0.1, validator=[gt(0), lt(1)])
    split: Split = attrs.field(factory=Split)
    mixing: Mixing = attrs.field(factory=Mixing)
    degradation: Degradation = attrs.field(factory=Degradation)
    background: Background = attrs.field(factory=Background)
    clip: Clip = attrs.field(factory=Clip)
    statistics: Normalisation = attrs.field(factory=Normalisation)
    noise_pairs: Literal["auto", "repeats", "clean", "bootstrap"] = attrs.field(
        default="auto", validator=in_(("auto", "repeats", "clean", "bootstrap"))
    )

    def __attrs_post_init__(self) -> None:
        if self.validation is not None and self.split.rule != "random":
            raise ValueError(
                f"split divides the training fields, but validation is named (got rule {self.split.rule}). "
                f"Remove one of them"
            )
        drawn = drawn_anew(self.mixing, fresh=self.degradation.fresh)
        if self.recorded and drawn:
            key = list(drawn)[-1]
            raise ValueError(
                f"recorded chooses an image before training, {key} makes new ones during it "
                f"(got recorded {', '.join(self.recorded)}). Remove one of them"
            )


@attrs.frozen(kw_only=True)
class ModelSpec:
    """The components of the network.

    Attributes:
        dimensions: spatial axes of an image, 2 or 3.
        encoder, decoder, noise_model, kl_scheme: one component each; ``noise_model`` may be one per channel.
    """

    encoder: Chosen = attrs.field(metadata={KIND: "encoder"})
    decoder: Chosen = attrs.field(metadata={KIND: "decoder"})
    noise_model: Chosen | tuple[Chosen, ...] = attrs.field(metadata={KIND: "noise_model"})
    kl_scheme: Chosen = attrs.field(metadata={KIND: "kl_scheme"})
    dimensions: int = attrs.field(default=2, validator=in_((2, 3)))


@attrs.frozen(kw_only=True)
class PredictionSpec:
    """Defaults of predictions.

    Attributes:
        samples: posterior samples per image.
        seed: seed of the latent noise field.
        noise: numbers of the noise field: ``box_muller``, made on any device, or ``ziggurat``, as in early
            versions.
        tile: side of the area that one pass predicts, pixels; 0 chooses by image and memory.
        orientations: orientations of the image that the samples take in turn, 1 or 8: its quarter turns, each
            with and without a mirror. For networks trained with ``augment``.
    """

    samples: int = attrs.field(default=50, validator=[ge(1), le(MOST_SAMPLES)])
    seed: int = attrs.field(default=0, validator=[ge(0), lt(2**63)])
    noise: Literal["box_muller", "ziggurat"] = attrs.field(
        default="box_muller", validator=in_(("box_muller", "ziggurat"))
    )
    tile: int = attrs.field(default=0, validator=ge(0))
    orientations: Literal[1, 8] = attrs.field(default=1, validator=in_((1, 8)), metadata={QUIET: True})


def _of_sums(_instance: object, attribute: "attrs.Attribute[Any]", value: Chosen) -> None:
    """Validator of ``region_calibrator``: most calibrators are for pixels only."""
    if not issubclass(value.component.load(), SumCalibrator):
        raise ValueError(
            f"'{attribute.name}' must be a calibrator of sums over regions (got {value.component.name}, "
            f"which calibrates pixels). Use region."
        )


@described_by(in_((1,)))
def _version(_instance: object, attribute: "attrs.Attribute[Any]", value: int) -> None:
    """Validator of ``spec_version``."""
    if value != 1:
        raise ValueError(
            f"'{attribute.name}' must be 1, the only version that this denoisplit reads (got {value}). "
            f"Write 1, or update denoisplit if the spec is of a newer one."
        )


@attrs.frozen(kw_only=True)
class ResolvedSpec:
    """A complete experiment: every component found, every option checked, every default filled in.

    Attributes:
        spec_version: version of the spec format.
        channels: names of the target channels, at least one.
        data, model, calibrator, training, prediction: the parts.
        region_calibrator: calibrator of sums over regions; None for no intervals of sums.
        metrics: scores of ``evaluate`` besides the usual ones.
        plugins: modules that register components when imported, by name or path of a ``.py`` file.
    """

    channels: tuple[str, ...] = attrs.field(validator=min_len(1), metadata=_NAMES)
    data: DataSpec
    model: ModelSpec
    calibrator: Chosen = attrs.field(metadata={KIND: "calibrator"})
    region_calibrator: Chosen | None = attrs.field(
        default=None,
        metadata={KIND: "calibrator", BASE: SumCalibrator},
        validator=optional(_of_sums),
    )
    training: TrainingSpec = attrs.field(factory=TrainingSpec)
    prediction: PredictionSpec = attrs.field(factory=PredictionSpec)
    metrics: tuple[Chosen, ...] = attrs.field(default=(), metadata={KIND: "metric", QUIET: True})
    plugins: tuple[str, ...] = attrs.field(default=(), metadata={QUIET: True})
    spec_version: int = attrs.field(default=1, validator=_version)


Plain = Mapping[str, Any]
"""A spec as plain numbers, strings, lists and mappings."""


def components(spec: ResolvedSpec) -> tuple[Component, ...]:
    """Every component that the spec uses, once, in the order of the spec."""
    return tuple(dict.fromkeys(_components(spec)))


def _components(value: Any) -> Iterator[Component]:
    if isinstance(value, Chosen):
        yield value.component
    elif isinstance(value, tuple):
        for item in value:
            yield from _components(item)
    elif attrs.has(type(value)):
        for field in attrs.fields(type(value)):
            yield from _components(getattr(value, field.name))
