"""Sums over the regions of an image, gathered while it is predicted."""

from collections.abc import Sequence

import attrs
import numpy as np

from denoisplit.core.arrays import AnyArray
from denoisplit.core.assessment.label_sums import LabelSum, LabelSums, label_divisions, sums_at
from denoisplit.core.assessment.region_intervals import RegionIntervals
from denoisplit.core.assessment.regions import Regions, RegionSums
from denoisplit.core.assessment.tile_sums import TileSummer, TileSums
from denoisplit.core.images.io import Planes
from denoisplit.core.prediction.passes import Draw, Passes
from denoisplit.core.prediction.summaries import Collector, Images, Made, Summary
from denoisplit.core.prediction.tiling import Tile
from denoisplit.core.storage.bundle import Bundle


@attrs.frozen(eq=False)
class SumsOver(Summary):
    """``TileSums`` of the samples over regions.

    Attributes:
        divisions: of every plane.
    """

    divisions: Sequence[Sequence[Regions]]

    def begin(self, passes: Passes, tile: Tile) -> Collector:
        """Sums of nothing yet."""
        return _SumsOver(self.divisions[passes.number], tile)


class _SumsOver(Collector):
    def __init__(self, regions: Sequence[Regions], tile: Tile) -> None:
        self._summer = TileSummer([one.index for one in regions], tile.inner.slices)

    def add(self, draw: Draw) -> None:
        self._summer.add(draw.pixels)

    def finish(self, images: Images) -> Made:
        del images
        return Made(facts=self._summer.finish().arrays())


@attrs.frozen(eq=False)
class Counting:
    """Sums over the regions of a label image.

    Attributes:
        planes: of the image.
        bundle: of the run.
        divisions: the regions of every plane; none where there are none.
    """

    planes: Planes
    bundle: Bundle
    divisions: tuple[tuple[Regions, ...], ...]

    @classmethod
    def of(cls, labels: AnyArray, planes: Planes, bundle: Bundle) -> "Counting":
        """From a label image, which may be read where it is asked for; see ``label_divisions``."""
        where = f"labels of {planes.image.source}"
        found = label_divisions(labels, planes.shape, planes.plane_shape[1:], where)
        return cls(planes, bundle, tuple(() if regions is None else (regions,) for regions in found))

    def finish(self, tiles: Sequence[Sequence[TileSums]]) -> LabelSums:
        """The table of what came in, of the tiles of every plane."""
        intervals, names = region_intervals(self.bundle), self.bundle.spec.channels
        rows: list[LabelSum] = []
        positions = np.ndindex(self.planes.shape)
        for position, regions, sums in zip(positions, self.divisions, tiles, strict=True):
            if regions:
                rows += sums_at(position, regions[0], RegionSums(regions, sums), names, intervals)
        return LabelSums(self.planes.leading, tuple(rows))


def region_intervals(bundle: Bundle) -> RegionIntervals | None:
    """The calibration of sums of a run, ready for use; None without."""
    chosen = bundle.spec.region_calibrator
    if bundle.region_calibration is None or chosen is None:
        return None
    return RegionIntervals(chosen.build(), bundle.region_calibration)
