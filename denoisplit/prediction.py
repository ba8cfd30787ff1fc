"""What a trained model makes of one image, of any size and with any axes."""

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import partial, reduce
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from denoisplit.core.assessment.label_sums import LabelSum, LabelSums, label_divisions, sums_at
from denoisplit.core.assessment.region_intervals import RegionIntervals
from denoisplit.core.assessment.regions import Regions, RegionSums
from denoisplit.core.errors import ImageError
from denoisplit.core.images.checks import check_channels, check_pixels
from denoisplit.core.images.interfaces import Image, PixelSize, TimeInterval
from denoisplit.core.images.io import Planes, iterate_planes
from denoisplit.core.images.scaled import as_dtype
from denoisplit.core.inference.outputs import (
    CHI_SQUARE,
    Calibrated,
    Output,
    channels_of,
    default_outputs,
    parse_outputs,
    require_possible,
    summaries_of,
)
from denoisplit.core.inference.posterior import Posterior, Visit, predict
from denoisplit.core.inference.progress import Progress, part_of
from denoisplit.core.inference.sample_count import LEAST, PILOT, AutoSamples, parse_samples
from denoisplit.core.inference.seams import Seams
from denoisplit.core.inference.summaries import Summary
from denoisplit.core.network.composer import MIXED_CHANNELS
from denoisplit.core.network.vse import VSE
from denoisplit.core.storage.atomic import write_text
from denoisplit.core.storage.bundle import Bundle
from denoisplit.core.storage.image_files import save_image
from denoisplit.core.verdict.judgement import Verdict
from denoisplit.judging import verdict_on

AnyArray = npt.NDArray[Any]
PathLike = str | os.PathLike[str]


@attrs.frozen(kw_only=True)
class Prediction:
    """The channels of one image, in detector counts.

    Axes are those of the input with a channel axis ``c``: [(s) (t) c (z) y x].

    Attributes:
        mean: posterior mean of every channel.
        std: spread of the posterior samples; None for a single sample.
        calibrated_std: spread calibrated to the real error; None without a calibration or without ``std``.
        images: what was asked for by ``output``, by name, in this order; ``chi-square`` has a single channel.
        axes: one letter per axis.
        channel_names: names of the channels.
        pixel_size: that of the input, if known.
        samples: number of posterior samples.
        time_interval: that of the input, if known.
        seam_score: mean step across the borders of tiles over that beside them, of the channel where it is
            furthest from 1; 1 where tiles do not show, None without borders.
        verdict: whether the image looks like the training images.
        sums: over the regions of a label image; None without one.
    """

    mean: AnyArray = attrs.field(eq=False, repr=False)
    std: AnyArray | None = attrs.field(eq=False, repr=False)
    calibrated_std: AnyArray | None = attrs.field(eq=False, repr=False)
    images: Mapping[str, AnyArray] = attrs.field(eq=False, repr=False)
    axes: str
    channel_names: tuple[str, ...]
    pixel_size: PixelSize | None
    samples: int
    time_interval: TimeInterval | None = None
    seam_score: float | None = None
    verdict: Verdict = attrs.field(factory=Verdict)
    sums: LabelSums | None = attrs.field(default=None, repr=False)

    def to_image(self) -> Image:
        """One image of all ``images``, with channels named ``<channel> <image>``, such as ``actin mean``.

        What is of the mixed image, and not of a channel, is named ``mixed <image>``.
        """
        names = {kind: channels_of(kind, self.channel_names) for kind in self.images}
        return Image(
            data=np.concatenate(list(self.images.values()), axis=self.axes.index("c")),
            axes=self.axes,
            channel_names=tuple(f"{name} {kind}" for kind, of in names.items() for name in of),
            pixel_size=self.pixel_size,
            time_interval=self.time_interval,
            source="prediction",
        )

    def save(self, path: PathLike, *, dtype: str = "float32") -> None:
        """Write all images into one file; the ending of its name chooses the format, such as .ome.tif.

        Args:
            path: of the file.
            dtype: of the pixels: ``float32``, or ``uint16`` with a scale per image that is noted in the file.

        Raises:
            ImageError: no installed format has this ending.
        """
        save_image(Path(path), as_dtype(self.to_image(), dtype))

    def save_sums(self, path: PathLike) -> None:
        """Write the sums over the regions of the label image as comma-separated values.

        Raises:
            ImageError: no label image was given.
        """
        if self.sums is None:
            raise ImageError(f"{path}: there are no sums to write (got no labels). Predict with labels.")
        write_text(Path(path), self.sums.to_csv())


def predict_image(
    vse: VSE,
    bundle: Bundle,
    image: Image,
    *,
    samples: int | str | None,
    seed: int | None,
    tile: int | None,
    output: str | Sequence[str] | None,
    workers: int,
    labels: AnyArray | None,
    progress: Progress | None,
) -> Prediction:
    """Split and denoise an opened image; arguments and errors are those of ``Run.predict``."""
    defaults = bundle.spec.prediction
    wanted = parse_samples(defaults.samples if samples is None else samples)
    calibrated = _calibrated(bundle)
    asked = () if output is None else parse_outputs(output)
    fewest = max([LEAST, *(one.least for one in asked)]) if isinstance(wanted, AutoSamples) else wanted
    require_possible(asked, samples=fewest, calibrated=calibrated is not None)
    planes = iterate_planes(image, bundle.spec.model.dimensions)
    _check(planes)
    counting = None if labels is None else _Counting.of(labels, planes, bundle)
    seed = defaults.seed if seed is None else seed
    tile = defaults.tile if tile is None else tile
    posterior_of = partial(predict, vse, seed=seed, tile=tile, workers=workers)

    def posteriors(
        count: int, summaries: Sequence[Summary], visits: Sequence[Visit | None]
    ) -> Iterator[Posterior]:
        for number, (_, plane) in enumerate(planes):
            told = None if progress is None else part_of(progress, number, len(planes))
            mixed = bundle.conditioned(plane[0])
            yield posterior_of(mixed, samples=count, summaries=summaries, progress=told, visit=visits[number])

    nobody: list[Visit | None] = [None] * len(planes)
    count = fewest
    if isinstance(wanted, AutoSamples):
        stds = (one.std for one in posteriors(PILOT, (), nobody) if one.std is not None)
        count = wanted.choose(stds, vse.statistics, least=fewest)
    chosen = asked or default_outputs(samples=count, calibrated=calibrated is not None)
    collected = [] if counting is None else counting.begin(count)
    visits = [one.add for one in collected] or nobody
    found = list(posteriors(count, summaries_of(chosen), visits))
    means = [posterior.mean for posterior in found]
    asks = any(one.misfit for one in chosen)
    verdict, misfits = verdict_on(vse, bundle, planes, means, seed=seed, tile=tile, asks_misfit=asks)
    if asks:
        found = [
            attrs.evolve(posterior, images={**posterior.images, CHI_SQUARE: misfit})
            for posterior, misfit in zip(found, misfits, strict=True)
        ]
    prediction = _prediction(found, chosen, calibrated, planes, bundle)
    sums = None if counting is None else counting.finish(collected)
    return attrs.evolve(prediction, verdict=verdict, sums=sums)


@attrs.frozen
class _Counting:
    """Sums over the regions of a label image, plane by plane."""

    planes: Planes
    bundle: Bundle
    divisions: tuple[Regions | None, ...]

    @classmethod
    def of(cls, labels: AnyArray, planes: Planes, bundle: Bundle) -> "_Counting":
        first = next(iter(planes))[1]
        where = f"labels of {planes.image.source}"
        return cls(planes, bundle, label_divisions(labels, planes.shape, first.shape[1:], where))

    def begin(self, samples: int) -> list[RegionSums]:
        """What takes in the samples of every plane."""
        count = len(self.bundle.spec.channels)
        return [
            RegionSums([] if regions is None else [regions], samples=samples, channels=count)
            for regions in self.divisions
        ]

    def finish(self, collected: Sequence[RegionSums]) -> LabelSums:
        """The table of what came in."""
        intervals, names = region_intervals(self.bundle), self.bundle.spec.channels
        rows: list[LabelSum] = []
        for (position, _), regions, sums in zip(self.planes, self.divisions, collected, strict=True):
            if regions is not None:
                rows += sums_at(position, regions, sums, names, intervals)
        return LabelSums(self.planes.leading, tuple(rows))


def region_intervals(bundle: Bundle) -> RegionIntervals | None:
    """The calibration of sums of a run, ready for use; None without."""
    chosen = bundle.spec.region_calibrator
    if bundle.region_calibration is None or chosen is None:
        return None
    return RegionIntervals(chosen.build(), bundle.region_calibration)


def _check(planes: Planes) -> None:
    """All are checked before the first is predicted, which may take a while."""
    for index, plane in planes:
        place = (f"{a}={i}" for a, i in zip(planes.leading, index, strict=True))
        where = " ".join([planes.image.source, *place])
        check_channels(
            plane.shape[0], MIXED_CHANNELS, where, "Give the mixed image, which has a single channel."
        )
        check_pixels(plane[0], where)


def _prediction(
    posteriors: Sequence[Posterior],
    chosen: Sequence[Output],
    calibrated: Calibrated | None,
    planes: Planes,
    bundle: Bundle,
) -> Prediction:
    """Put the planes together again."""
    usual = default_outputs(samples=posteriors[0].samples, calibrated=calibrated is not None)
    made = [
        {one.word: one.make(posterior, calibrated) for one in (*usual, *chosen)} for posterior in posteriors
    ]
    names = bundle.spec.channels
    whole = {
        word: {
            kind: planes.assemble([parts[word][kind] for parts in made], channels_of(kind, names))
            for kind in images
        }
        for word, images in made[0].items()
    }
    usually = {kind: image.pixels for one in usual for kind, image in whole[one.word].items()}
    mean = whole["mean"]["mean"]
    return Prediction(
        mean=mean.pixels,
        std=usually.get("std"),
        calibrated_std=usually.get("calibrated std"),
        images={kind: image.pixels for one in chosen for kind, image in whole[one.word].items()},
        axes=mean.axes,
        channel_names=names,
        pixel_size=mean.pixel_size,
        time_interval=mean.time_interval,
        samples=posteriors[0].samples,
        seam_score=_seam_score(posteriors),
    )


def _seam_score(posteriors: Sequence[Posterior]) -> float | None:
    seams = [posterior.seams for posterior in posteriors if posterior.seams is not None]
    return reduce(Seams.__add__, seams).score if seams else None


def _calibrated(bundle: Bundle) -> Calibrated | None:
    if bundle.calibration is None:
        return None
    return Calibrated(bundle.spec.calibrator.build(), bundle.calibration)
