"""Sums over the regions of an image, collected while it is predicted."""

from collections.abc import Sequence

import attrs
import numpy as np

from denoisplit.core.images.io import Planes
from denoisplit.core.prediction.samples.passes import Draw, Passes
from denoisplit.core.prediction.samples.summaries import Collector, Facts, Images, Made, Summary
from denoisplit.core.prediction.tiles.tiling import Tile
from denoisplit.core.storage.bundle import Bundle
from denoisplit.core.sums.divisions import Division
from denoisplit.core.sums.label_sums import LabelSum, LabelSums, sums_at
from denoisplit.core.sums.sum_intervals import SumIntervals
from denoisplit.core.sums.tile_sums import TileSummer, gathered_sums


@attrs.frozen(eq=False)
class SumsOver(Summary):
    """Sums of the samples over regions, as ``TileSummer`` finds them."""

    divisions: Sequence[Sequence[Division]]

    def begin(self, passes: Passes, tile: Tile) -> Collector:
        """Begin with empty sums."""
        return _SumsOver(TileSummer(self.divisions[passes.number], tile.inner.slices))


class _SumsOver(Collector):
    def __init__(self, summer: TileSummer) -> None:
        self._summer = summer

    def add(self, draw: Draw) -> None:
        self._summer.add(draw.pixels)

    def finish(self, images: Images) -> Made:
        del images
        return Made(facts=self._summer.finish())


def summed(
    divisions: Sequence[Division | None], tiles: Sequence[Sequence[Facts]], planes: Planes, bundle: Bundle
) -> LabelSums:
    """The table of sums over the regions of a label image."""
    rows: list[LabelSum] = []
    positions, intervals = np.ndindex(planes.shape), sum_intervals(bundle)
    for position, division, found in zip(positions, divisions, tiles, strict=True):
        if division is not None:
            (samples,) = gathered_sums([division], found)
            rows += sums_at(position, division, samples, bundle.spec.channels, intervals)
    return LabelSums(planes.leading, tuple(rows))


def sum_intervals(bundle: Bundle) -> SumIntervals | None:
    """The calibrated intervals of sums that a run has; None without."""
    chosen = bundle.spec.region_calibrator
    if bundle.region_calibration is None or chosen is None:
        return None
    return SumIntervals(chosen.build(), bundle.region_calibration, bundle.spec.prediction.samples)
