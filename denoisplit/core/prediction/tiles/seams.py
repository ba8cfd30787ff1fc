"""Visibility of tiles in an image: steps across their borders compared with steps beside them."""

import math
from collections.abc import Sequence
from functools import reduce
from operator import itemgetter

import attrs
import numpy as np

from denoisplit.core.arrays import FloatArray
from denoisplit.core.prediction.tiles.tiling import Tile


@attrs.frozen
class Seams:
    """Sums of absolute differences between neighbouring pixels, per channel; those of several images add up.

    Attributes:
        across: differences across the borders of tiles, counts.
        beside: differences one pixel before and one pixel behind the borders, averaged, counts.
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
        """Sum across over sum beside, for the channel where it is furthest from 1.

        1 where borders are like any other place, within the few per cent by which an image varies. Larger
        where tiles leave a step, smaller where they disturb the pixels beside their borders. Infinite for a
        step in an image that is constant beside it.
        """
        ratios = [_ratio(a, b) for a, b in zip(self.across, self.beside, strict=True)]
        return max(ratios, key=lambda ratio: abs(math.log(ratio)) if ratio > 0 else math.inf)


class SeamStrips:
    """The pixels along the borders of tiles, collected tile by tile.

    Args:
        shape: shape of the image [(z) y x].
        tiles: tiles of the image.
    """

    def __init__(self, shape: Sequence[int], tiles: Sequence[Tile]) -> None:
        self._shape, self._tiles = tuple(shape), tuple(tiles)
        self._strips: dict[tuple[int, int], FloatArray] = {}
        self._borders = [_borders(tiles, axis, size) for axis, size in enumerate(shape)]

    def add(self, tile: Tile, mean: FloatArray) -> None:
        """Add the inner area [c (z) y x] of a tile."""
        inner = tile.inner
        for axis, borders in enumerate(self._borders):
            for border in borders:
                low, high = max(border - 2, inner.start[axis]), min(border + 2, inner.stop[axis])
                if low < high:
                    there = list(inner.slices)
                    there[axis] = slice(low - border + 2, high - border + 2)
                    here = [slice(None)] * len(self._shape)
                    here[axis] = slice(low - inner.start[axis], high - inner.start[axis])
                    self._strip(axis, border, mean)[:, *there] = mean[:, *here]

    def measure(self) -> Seams | None:
        """Seams of the whole image, as from ``measure_seams``."""
        found = [
            _seams_of(strip, axis) for (axis, _), strip in sorted(self._strips.items(), key=itemgetter(0))
        ]
        return reduce(Seams.__add__, found) if found else None

    def _strip(self, axis: int, border: int, mean: FloatArray) -> FloatArray:
        if (axis, border) not in self._strips:
            sides = list(self._shape)
            sides[axis] = 4
            self._strips[axis, border] = np.zeros((len(mean), *sides), dtype=mean.dtype)
        return self._strips[axis, border]


def _borders(tiles: Sequence[Tile], axis: int, size: int) -> list[int]:
    """Positions along an axis where tiles meet and that have two pixels on both sides."""
    starts = sorted({tile.inner.start[axis] for tile in tiles})
    return [border for border in starts if 2 <= border <= size - 2]


def _seams_of(strip: FloatArray, axis: int) -> Seams:
    """Seams of one border, from the two pixels [c (z) y x] on each of its sides."""
    around = np.moveaxis(strip, axis + 1, 1).astype(np.float64)
    step = np.abs(np.diff(around, axis=1)).reshape(len(strip), 3, -1).sum(axis=2)
    beside = (step[:, 0] + step[:, 2]) / 2
    return Seams(tuple(step[:, 1].tolist()), tuple(beside.tolist()))


def measure_seams(image: FloatArray, tiles: Sequence[Tile]) -> Seams | None:
    """Seams of an image [c (z) y x] that was assembled from tiles.

    Returns:
        None where no border has two pixels on both sides, for example with a single tile.
    """
    strips = SeamStrips(image.shape[1:], tiles)
    for tile in tiles:
        strips.add(tile, image[:, *tile.inner.slices])
    return strips.measure()


def _ratio(across: float, beside: float) -> float:
    if beside > 0:
        return across / beside
    return math.inf if across > 0 else 1.0
