"""What a trained model makes of one image, of any size and with any axes."""

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import partial, reduce
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from denoisplit.core.images.checks import check_channels, check_pixels
from denoisplit.core.images.interfaces import Image, PixelSize, TimeInterval
from denoisplit.core.images.io import Planes, iterate_planes
from denoisplit.core.images.scaled import as_dtype
from denoisplit.core.inference.outputs import (
    Calibrated,
    Output,
    default_outputs,
    parse_outputs,
    require_possible,
    summaries_of,
)
from denoisplit.core.inference.posterior import Posterior, predict
from denoisplit.core.inference.progress import Progress, part_of
from denoisplit.core.inference.sample_count import LEAST, PILOT, AutoSamples, parse_samples
from denoisplit.core.inference.seams import Seams
from denoisplit.core.inference.summaries import Summary
from denoisplit.core.network.composer import MIXED_CHANNELS
from denoisplit.core.network.vse import VSE
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
        images: what was asked for by ``output``, by name, in this order.
        axes: one letter per axis.
        channel_names: names of the channels.
        pixel_size: that of the input, if known.
        samples: number of posterior samples.
        time_interval: that of the input, if known.
        seam_score: mean step across the borders of tiles over that beside them, of the channel where it is
            furthest from 1; 1 where tiles do not show, None without borders.
        verdict: whether the image looks like the training images.
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

    def to_image(self) -> Image:
        """One image of all ``images``, with channels named ``<channel> <image>``, such as ``actin mean``."""
        return Image(
            data=np.concatenate(list(self.images.values()), axis=self.axes.index("c")),
            axes=self.axes,
            channel_names=tuple(f"{name} {kind}" for kind in self.images for name in self.channel_names),
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
    seed = defaults.seed if seed is None else seed
    tile = defaults.tile if tile is None else tile
    posterior_of = partial(predict, vse, seed=seed, tile=tile, workers=workers)

    def posteriors(count: int, summaries: Sequence[Summary]) -> Iterator[Posterior]:
        for number, (_, plane) in enumerate(planes):
            told = None if progress is None else part_of(progress, number, len(planes))
            mixed = bundle.conditioned(plane[0])
            yield posterior_of(mixed, samples=count, summaries=summaries, progress=told)

    count = fewest
    if isinstance(wanted, AutoSamples):
        stds = (one.std for one in posteriors(PILOT, ()) if one.std is not None)
        count = wanted.choose(stds, vse.statistics, least=fewest)
    chosen = asked or default_outputs(samples=count, calibrated=calibrated is not None)
    found = list(posteriors(count, summaries_of(chosen)))
    means = [posterior.mean for posterior in found]
    verdict = verdict_on(vse, bundle, planes, means, seed=seed, tile=tile)
    return attrs.evolve(_prediction(found, chosen, calibrated, planes, bundle), verdict=verdict)


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
        word: {kind: planes.assemble([parts[word][kind] for parts in made], names) for kind in images}
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
