"""Whether tiles show in an image: differences across their borders beside those next to them."""

import math
from collections.abc import Sequence

import attrs
import numpy as np

from denoisplit.core.inference.tiling import Tile
from denoisplit.core.network.interfaces import FloatArray


@attrs.frozen
class Seams:
    """Sums of absolute differences between neighbouring pixels, per channel; seams of several images add up.

    Attributes:
        across: over the borders of tiles, counts.
        beside: one pixel before and one pixel behind them, averaged, counts.
    """

    across: tuple[float, ...]
    beside: tuple[float, ...]

    def __add__(self, other: "Seams") -> "Seams":
        return Seams(
            tuple(a + b for a, b in zip(self.across, other.across, strict=True)),
            tuple(a + b for a, b in zip(self.beside, other.beside, strict=True)),
        )

    @property
    def score(self) -> float:
        """Sum across over sum beside, of the channel where it is furthest from 1.

        1 where borders are like any other place, up to the few per cent by which an image varies. Larger
        where tiles leave a step, smaller where they disturb the pixels beside their borders. Infinite for a
        step in an image that is constant beside it.
        """
        ratios = [_ratio(a, b) for a, b in zip(self.across, self.beside, strict=True)]
        return max(ratios, key=lambda ratio: abs(math.log(ratio)) if ratio > 0 else math.inf)


def measure_seams(image: FloatArray, tiles: Sequence[Tile]) -> Seams | None:
    """Seams of an image [c (z) y x] that was put together from tiles.

    Returns:
        None where no border has two pixels on both sides, for example with a single tile.
    """
    across, beside = np.zeros(len(image)), np.zeros(len(image))
    borders = 0
    for axis, size in enumerate(image.shape[1:]):
        for border in sorted({tile.inner.start[axis] for tile in tiles}):
            if border < 2 or border + 2 > size:
                continue
            around = np.moveaxis(image, axis + 1, 1)[:, border - 2 : border + 2].astype(np.float64)
            step = np.abs(np.diff(around, axis=1)).reshape(len(image), 3, -1).sum(axis=2)
            across += step[:, 1]
            beside += (step[:, 0] + step[:, 2]) / 2
            borders += 1
    return Seams(tuple(across.tolist()), tuple(beside.tolist())) if borders else None


def _ratio(across: float, beside: float) -> float:
    if beside > 0:
        return across / beside
    return math.inf if across > 0 else 1.0
