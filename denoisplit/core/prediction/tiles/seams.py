"""Visibility of tiles in an image: steps across their borders compared with steps beside them.

Beside is one position of the finest level away, not one pixel: where a network makes its pixels from larger
positions, as with binning, steps between positions are larger than those inside, and tiles meet between them.
"""

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
        beside: differences one position before and one position behind the borders, averaged, counts.
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
        position: pixels per position of the network's finest level, per axis.
    """

    def __init__(self, shape: Sequence[int], tiles: Sequence[Tile], position: Sequence[int]) -> None:
        self._shape, self._sides = tuple(shape), [one + 1 for one in position]
        self._strips: dict[tuple[int, int], FloatArray] = {}
        self._borders = [
            _borders(tiles, axis, size, side)
            for axis, (size, side) in enumerate(zip(shape, self._sides, strict=True))
        ]

    def add(self, tile: Tile, mean: FloatArray) -> None:
        """Add the inner area [c (z) y x] of a tile."""
        inner = tile.inner
        for axis, borders in enumerate(self._borders):
            side = self._sides[axis]
            for border in borders:
                low, high = max(border - side, inner.start[axis]), min(border + side, inner.stop[axis])
                if low < high:
                    there = list(inner.slices)
                    there[axis] = slice(low - border + side, high - border + side)
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
            sides[axis] = 2 * self._sides[axis]
            self._strips[axis, border] = np.zeros((len(mean), *sides), dtype=mean.dtype)
        return self._strips[axis, border]


def _borders(tiles: Sequence[Tile], axis: int, size: int, side: int) -> list[int]:
    """Pixels along an axis where tiles meet and that have ``side`` pixels on both sides."""
    starts = sorted({tile.inner.start[axis] for tile in tiles})
    return [border for border in starts if side <= border <= size - side]


def _seams_of(strip: FloatArray, axis: int) -> Seams:
    """Seams of one border, from as many pixels [c (z) y x] on each of its sides."""
    around = np.moveaxis(strip, axis + 1, 1).astype(np.float64)
    step = np.abs(np.diff(around, axis=1)).reshape(len(strip), around.shape[1] - 1, -1).sum(axis=2)
    beside = (step[:, 0] + step[:, -1]) / 2
    return Seams(tuple(step[:, step.shape[1] // 2].tolist()), tuple(beside.tolist()))


def measure_seams(image: FloatArray, tiles: Sequence[Tile], position: Sequence[int]) -> Seams | None:
    """Seams of an image [c (z) y x] that was assembled from tiles; for arguments, see ``SeamStrips``.

    Returns:
        None where no border has a position and a pixel on both sides, for example with a single tile.
    """
    strips = SeamStrips(image.shape[1:], tiles, position)
    for tile in tiles:
        strips.add(tile, image[:, *tile.inner.slices])
    return strips.measure()


def _ratio(across: float, beside: float) -> float:
    if beside > 0:
        return across / beside
    return math.inf if across > 0 else 1.0
