"""The verdict on an image that a run predicts, from what its tiles contribute."""

import logging
from collections.abc import Sequence
from typing import Final

import attrs
import numpy as np

from denoisplit.core.errors import NoiseModelError
from denoisplit.core.images.block_walks import extremes
from denoisplit.core.images.degradation import Degradation
from denoisplit.core.images.io import Planes
from denoisplit.core.images.lazy import LazyArray
from denoisplit.core.images.mixing import Mixing
from denoisplit.core.network.frame_part import FramePart
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.outputs.evidence import evidence_of
from denoisplit.core.prediction.outputs.offers import CHI_SQUARE
from denoisplit.core.prediction.samples.passes import Passes
from denoisplit.core.prediction.samples.summaries import Collector, Facts, Images, Made, Summary
from denoisplit.core.prediction.tiles.tiling import Tile
from denoisplit.core.storage.bundle import Bundle
from denoisplit.core.verdict.consistency import (
    chi_square,
    mixed_variance,
    network_statistics,
    without_bias,
)
from denoisplit.core.verdict.image_statistics import image_statistics
from denoisplit.core.verdict.judgement import FALSE_ALARMS, Finding, Measured, Verdict, judge

_LOG = logging.getLogger("denoisplit.prediction")


_MISFIT: Final = "misfit"
"""Fact: number of pixels, chi-square and the rate of every latent, summed over them."""

_LEVELS: Final = "levels of latents"
"""Fact: the number of the level of every latent."""


@attrs.frozen
class Misfit(Summary):
    """``chi-square`` [1 (z) y x] of a tile whose posterior mean is known, and its sums.

    It takes one pass through encoder and decoder per tile.

    Attributes:
        mixing: mixing of the channels.
        degradation: degradation of the mixed image.
        levels: largest number of latents whose rates are kept.
    """

    mixing: Mixing
    degradation: Degradation
    levels: int

    def begin(self, passes: Passes, tile: Tile) -> Collector:
        """Begin; the work is done when the mean is known."""
        return _Misfit(self, passes, tile)

    def held(self, samples: int) -> int:
        """A draw, its variance and bias, chi-square, and the rates."""
        del samples
        return 4 + self.levels


class _Misfit(Collector):
    def __init__(self, of: Misfit, passes: Passes, tile: Tile) -> None:
        self._of, self._passes, self._tile = of, passes, tile

    def finish(self, images: Images) -> Made:
        mixing = self._of.mixing
        evidence = evidence_of(self._passes, self._tile)
        noise = mixed_variance(evidence.variance, mixing, self._of.degradation)
        seen = np.asarray(self._passes.canvas.scales[0][self._tile.inner.slices])
        mixed = without_bias(seen, evidence.bias, mixing)
        squares = chi_square(mixed, images["mean"], evidence.draw, noise, mixing)
        sums = [part.sum(dtype=np.float64) for part in (squares, *evidence.rates)]
        facts = {_MISFIT: np.array([squares.size, *sums]), _LEVELS: np.array(evidence.levels, np.int64)}
        return Made({CHI_SQUARE: squares.astype(np.float32)[None]}, facts)


def misfit_of(vse: VSE, bundle: Bundle, shape: tuple[int, ...], *, asked: bool) -> Misfit | None:
    """The summary that measures the misfit of planes [(z) y x] of a shape.

    None if it was not asked for and the run has nothing to compare it with, or if the noise model does not
    fit the image.

    Raises:
        NoiseModelError: it was asked for, but the camera maps of the noise model do not fit the image.
    """
    known = bundle.reference
    if not asked and (known is None or "mixture" not in known.spreads):
        return None
    try:
        vse.camera(FramePart.whole(shape))
    except NoiseModelError as error:
        if asked:
            raise
        _LOG.warning("the verdict does not rest on the noise of the image: %s", error)
        return None
    return Misfit(bundle.spec.data.mixing, bundle.spec.data.degradation, len(vse.level_strides))


def plane_verdict(
    bundle: Bundle,
    planes: Planes,
    recorded: LazyArray,
    mixed: LazyArray,
    tiles: Sequence[Facts],
    flaw: str,
) -> Verdict:
    """Judge one plane or stack.

    Args:
        bundle: the run's weights and records.
        planes: the planes that it belongs to.
        recorded: the plane [(z) y x] as recorded, counts; may be read on demand.
        mixed: the plane as the network sees it.
        tiles: facts about its tiles, in order.
        flaw: why it holds no structure; empty if it does.
    """
    if flaw:
        sentence = f"no structure: {flaw.partition('. ')[0]}"
        return Verdict(status="unlike", findings=(Finding("no structure", sentence),))
    reference, stats = bundle.reference, bundle.statistics
    centre, scale = stats.mixed_mean, stats.mixed_std
    statistics: dict[str, float] = {}
    if reference is not None:
        statistics = image_statistics(mixed, centre=centre, scale=scale)
    measured = [facts[_MISFIT] for facts in tiles if _MISFIT in facts]
    if measured:
        count, *sums = (sum(column.tolist()) for column in np.transpose(measured))
        misfit, *rates = (np.array([total / count]) for total in sums)
        statistics |= network_statistics(misfit, rates, tuple(tiles[0][_LEVELS].tolist()))
    ends = extremes(recorded)
    pixels = int(np.prod(recorded.shape, dtype=np.int64))
    dtype = planes.image.data.dtype
    found = Measured(
        statistics=statistics,
        pixels=pixels,
        saturated=ends.at_highest / pixels,
        at_limit=dtype.kind in "ui" and ends.highest >= float(np.float32(np.iinfo(dtype).max)),
        pixel=() if planes.pixel_size is None else planes.pixel_size.sizes_in("µm"),
    )
    rate = FALSE_ALARMS / len(planes)
    return judge(found, reference, centre=centre, scale=scale, rate=rate)
