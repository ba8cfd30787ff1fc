"""What a run says about an image that it predicts: the verdict, from what is gathered tile by tile."""

import logging
from collections.abc import Sequence

import attrs
import numpy as np

from denoisplit.core.errors import NoiseModelError
from denoisplit.core.images.degradation import Degradation
from denoisplit.core.images.interfaces import FloatArray
from denoisplit.core.images.io import Planes
from denoisplit.core.images.mixing import Mixing
from denoisplit.core.images.streamed import extremes
from denoisplit.core.network.frame_part import FramePart
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.evidence import evidence_of
from denoisplit.core.prediction.outputs import CHI_SQUARE
from denoisplit.core.prediction.passes import Passes
from denoisplit.core.prediction.summaries import Collector, Images, Made, Summary
from denoisplit.core.prediction.tiling import Tile
from denoisplit.core.storage.bundle import Bundle
from denoisplit.core.verdict.consistency import (
    chi_square,
    mixed_variance,
    network_statistics,
    without_bias,
)
from denoisplit.core.verdict.judgement import FALSE_ALARMS, Finding, Measured, Verdict, judge
from denoisplit.core.verdict.statistics import image_statistics

_LOG = logging.getLogger("denoisplit.prediction")


@attrs.frozen
class TileMisfit:
    """Of a tile: number of its pixels, chi-square, the rate of every latent and the number of its level."""

    pixels: int
    misfit: float
    rates: tuple[float, ...]
    levels: tuple[int, ...]


@attrs.frozen
class Misfit(Summary):
    """``chi-square`` [1 (z) y x] of a tile whose posterior mean is known, and its sums.

    It costs one pass through encoder and decoder per tile.
    """

    mixing: Mixing
    degradation: Degradation

    def begin(self, passes: Passes, tile: Tile) -> Collector:
        """Waits for the mean."""
        return _Misfit(self, passes, tile)


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
        sums = TileMisfit(
            pixels=squares.size,
            misfit=float(squares.sum(dtype=np.float64)),
            rates=tuple(float(rate.sum(dtype=np.float64)) for rate in evidence.rates),
            levels=evidence.levels,
        )
        return Made({CHI_SQUARE: squares.astype(np.float32)[None]}, sums)


def misfit_of(vse: VSE, bundle: Bundle, shape: tuple[int, ...], *, asked: bool) -> Misfit | None:
    """What measures the misfit of planes [(z) y x] of a shape.

    None where nobody asks for it and the run knows nothing to compare it with, or where the noise model does
    not fit the image.

    Raises:
        NoiseModelError: the noise model has maps of a camera, and the image other sides, but it is asked for.
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
    return Misfit(bundle.spec.data.mixing, bundle.spec.data.degradation)


def plane_verdict(
    bundle: Bundle,
    planes: Planes,
    recorded: FloatArray,
    mixed: FloatArray,
    tiles: Sequence[TileMisfit],
    flaw: str,
) -> Verdict:
    """Verdict on one plane or stack.

    Args:
        bundle: of the run.
        planes: what it is one of.
        recorded: the plane [(z) y x] as it was recorded, counts; may be read where it is asked for.
        mixed: the same as the network sees it.
        tiles: misfit of its tiles, in their order; none where it was not measured.
        flaw: why it holds no structure; empty where it does.
    """
    if flaw:
        sentence = f"no structure: {flaw.partition('. ')[0]}"
        return Verdict(status="unlike", findings=(Finding("no structure", sentence),))
    reference, stats = bundle.reference, bundle.statistics
    centre, scale = stats.mixed_mean, stats.mixed_std
    statistics: dict[str, float] = {}
    if reference is not None:
        statistics = image_statistics(mixed, centre=centre, scale=scale)
    if tiles:
        pixels = sum(part.pixels for part in tiles)
        misfit = np.array([sum(part.misfit for part in tiles) / pixels])
        rates = zip(*(part.rates for part in tiles), strict=True)
        means = [np.array([sum(rate) / pixels]) for rate in rates]
        statistics |= network_statistics(misfit, means, tiles[0].levels)
    ends = extremes(recorded)
    pixels = int(np.prod(recorded.shape, dtype=np.int64))
    dtype = planes.image.data.dtype
    measured = Measured(
        statistics=statistics,
        pixels=pixels,
        saturated=ends.at_highest / pixels,
        at_limit=dtype.kind in "ui" and ends.highest >= float(np.float32(np.iinfo(dtype).max)),
        pixel=() if planes.pixel_size is None else planes.pixel_size.sizes_in("µm"),
    )
    rate = FALSE_ALARMS / len(planes)
    return judge(measured, reference, centre=centre, scale=scale, rate=rate)
