"""Sums over regions of samples that are all there, as a prediction gathers them tile by tile."""

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from denoisplit.core.assessment.regions import Regions, RegionSums
from denoisplit.core.assessment.tile_sums import TileSummer, TileSums

Place = tuple[slice, ...]


def tile_sums(regions: Sequence[Regions], samples: npt.NDArray[Any], where: Place) -> TileSums:
    """Of the part at a place of samples [s c (z) y x]."""
    summer = TileSummer([one.index for one in regions], where)
    for sample in samples:
        summer.add(sample[:, *where])
    return summer.finish()


def region_sums(
    regions: Sequence[Regions], samples: npt.NDArray[Any], places: Sequence[Place] = ()
) -> RegionSums:
    """Of samples [s c (z) y x], in tiles at ``places``; in one by default."""
    whole = tuple(slice(0, side) for side in samples.shape[2:])
    return RegionSums(regions, [tile_sums(regions, samples, where) for where in places or (whole,)])
