"""What a run says about an image that it predicts: the verdict, gathered tile by tile."""

import logging
from collections.abc import Sequence
from threading import Lock

import attrs
import numpy as np

from denoisplit.core.errors import NoiseModelError
from denoisplit.core.images.interfaces import FloatArray
from denoisplit.core.images.io import Planes
from denoisplit.core.images.streamed import extremes
from denoisplit.core.network.frame_part import FramePart
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.evidence import evidence_of
from denoisplit.core.prediction.outputs import CHI_SQUARE
from denoisplit.core.prediction.passes import Passes
from denoisplit.core.prediction.summaries import Images
from denoisplit.core.prediction.tiling import Tile
from denoisplit.core.storage.bundle import Bundle
from denoisplit.core.verdict.consistency import (
    chi_square,
    mixed_variance,
    network_statistics,
    without_bias,
)
from denoisplit.core.verdict.judgement import FALSE_ALARMS, Measured, Verdict, joined, judge
from denoisplit.core.verdict.statistics import image_statistics

_LOG = logging.getLogger("denoisplit.prediction")


@attrs.frozen
class _Sums:
    """Of a tile: number of its pixels, chi-square and the rate of every level."""

    pixels: int
    misfit: float
    rates: tuple[float, ...]


class PlaneJudge:
    """Verdict on one plane or stack of an image.

    It costs one pass through encoder and decoder per tile, and nothing where the run knows no training images
    and nobody asks for the misfit.

    Args:
        vse: the network.
        bundle: of the run.
        recorded: the plane [(z) y x] as it was recorded, counts; may be read where it is asked for.
        mixed: the same as the network sees it.
        planes: what it is one of.
        asks_misfit: whether to measure chi-square, too, where there is nothing to compare it with.
    """

    def __init__(
        self,
        vse: VSE,
        bundle: Bundle,
        recorded: FloatArray,
        mixed: FloatArray,
        planes: Planes,
        *,
        asks_misfit: bool,
    ) -> None:
        self._vse, self._bundle, self._planes = vse, bundle, planes
        self._recorded, self._mixed = recorded, mixed
        self._sums: dict[tuple[int, ...], _Sums] = {}
        self._lock = Lock()
        known = bundle.reference
        self.asks_network = asks_misfit or (known is not None and "mixture" in known.spreads)
        try:
            vse.camera(FramePart.whole(mixed.shape))
        except NoiseModelError as error:
            if asks_misfit:
                raise
            _LOG.warning("the verdict does not rest on the noise of the image: %s", error)
            self.asks_network = False

    def further(self, passes: Passes, tile: Tile, images: Images) -> Images:
        """Chi-square [1 (z) y x] of a tile, whose posterior mean is known; nothing if nobody asks for it."""
        if not self.asks_network:
            return {}
        data = self._bundle.spec.data
        evidence = evidence_of(passes, tile)
        noise = mixed_variance(evidence.variance, data.mixing, data.degradation)
        mixed = without_bias(np.asarray(self._mixed[tile.inner.slices]), evidence.bias, data.mixing)
        squares = chi_square(mixed, images["mean"], evidence.draw, noise, data.mixing)
        sums = _Sums(
            pixels=squares.size,
            misfit=float(squares.sum(dtype=np.float64)),
            rates=tuple(float(rate.sum(dtype=np.float64)) for rate in evidence.rates),
        )
        with self._lock:
            self._sums[tile.inner.start] = sums
        return {CHI_SQUARE: squares.astype(np.float32)[None]}

    def verdict(self) -> Verdict:
        """Once all tiles were seen."""
        reference, stats = self._bundle.reference, self._bundle.statistics
        centre, scale = stats.mixed_mean, stats.mixed_std
        statistics: dict[str, float] = {}
        if reference is not None:
            statistics = image_statistics(self._mixed, centre=centre, scale=scale)
        if self.asks_network:
            statistics |= self._of_network()
        ends = extremes(self._recorded)
        pixels = int(np.prod(self._recorded.shape, dtype=np.int64))
        dtype = self._planes.image.data.dtype
        measured = Measured(
            statistics=statistics,
            pixels=pixels,
            saturated=ends.at_highest / pixels,
            at_limit=dtype.kind in "ui" and ends.highest >= float(np.float32(np.iinfo(dtype).max)),
            pixel=() if self._planes.pixel_size is None else self._planes.pixel_size.sizes_in("µm"),
        )
        rate = FALSE_ALARMS / len(self._planes)
        return judge(measured, reference, centre=centre, scale=scale, rate=rate)

    def _of_network(self) -> dict[str, float]:
        """Statistics of the whole plane from those of its tiles, whichever thread brought them first."""
        parts = [self._sums[place] for place in sorted(self._sums)]
        pixels = sum(part.pixels for part in parts)
        levels = range(len(parts[0].rates))
        misfit = np.array([sum(part.misfit for part in parts) / pixels])
        return network_statistics(
            misfit, [np.array([sum(part.rates[level] for part in parts) / pixels]) for level in levels]
        )


def verdict_on(judges: Sequence[PlaneJudge], planes: Planes) -> Verdict:
    """Verdict on all planes of an image, which have to be usual all of them."""
    names = [
        " ".join(f"{axis}={i}" for axis, i in zip(planes.leading, index, strict=True))
        for index in np.ndindex(planes.shape)
    ]
    return joined([judge.verdict() for judge in judges], names)
