"""Divisions of an image into regions: square blocks, or the regions of a label image."""

import math
from functools import partial
from typing import Any, Final

import attrs
import numpy as np

from denoisplit.core.arrays import AnyArray, Float64Array, IntArray, Window
from denoisplit.core.errors import ImageError
from denoisplit.core.images.bases import LazyArray
from denoisplit.core.images.block_walks import blocks
from denoisplit.core.images.lazy import LazyPixels

BLOCK_SIDES: Final = (4, 16, 64)
"""Sides of the square blocks, pixels."""
LABELS: Final = "labels"


@attrs.frozen(kw_only=True, eq=False)
class Division:
    """A division of an image into regions.

    Attributes:
        name: name of the sort of regions, for tables.
        index: region number of every pixel [(z) y x], in memory or not; -1 for pixels in no region.
        count: number of regions.
        labels: label of every region of a label image; empty for blocks.
    """

    name: str
    index: LazyArray
    count: int
    labels: tuple[int, ...] = ()

    def sums(self, channels: AnyArray) -> Float64Array:
        """Sums over the regions [c regions] of an image [c (z) y x]."""
        return sums_over(np.asarray(self.index), channels, self.count)

    @property
    def pixels(self) -> IntArray:
        """Number of pixels in each region [regions]."""
        pixels: IntArray = np.sum([self._counts(part) for _, part in blocks(self.index)], axis=0)
        return pixels

    @property
    def planes(self) -> IntArray:
        """Number of planes that each region reaches into [regions]."""
        stack = self.index if self.index.ndim > 2 else np.asarray(self.index)[None]
        planes: IntArray = np.sum(
            [self._counts(np.asarray(stack[z])) > 0 for z in range(stack.shape[0])], axis=0
        )
        return planes

    def _counts(self, part: AnyArray) -> IntArray:
        return np.bincount(part[part >= 0], minlength=self.count)


def sums_over(index: AnyArray, channels: AnyArray, count: int) -> Float64Array:
    """Sum an image [c (z) y x] over its regions, [c regions]; pixels with index -1 are in no region."""
    flat = (index + 1).ravel()  # pixels in no region fill the first bin, which is dropped
    return np.stack(
        [
            np.bincount(flat, weights=channel.astype(np.float64).ravel(), minlength=count + 1)[1:]
            for channel in channels
        ]
    )


def block_division(shape: tuple[int, ...], side: int) -> Division | None:
    """Divide planes into square blocks; the rest of a plane, beyond whole blocks, is in none.

    Args:
        shape: (z) y x.
        side: side of the blocks, pixels.

    Returns:
        The division; None if a plane holds no whole block.
    """
    rows, columns = shape[-2] // side, shape[-1] // side
    if not rows * columns:
        return None
    y, x = np.arange(shape[-2])[:, None] // side, np.arange(shape[-1])[None] // side
    plane = np.where((y < rows) & (x < columns), y * columns + x, -1)
    planes = math.prod(shape[:-2])
    first = np.arange(planes)[:, None, None] * (rows * columns)
    index = np.where(plane >= 0, plane + first, -1).reshape(shape)
    return Division(name=f"{side} x {side} px", index=index, count=planes * rows * columns)


def label_divisions(
    labels: LazyArray, positions: tuple[int, ...], plane: tuple[int, ...], where: str
) -> tuple[Division | None, ...]:
    """Return the regions of a label image at every position, one per label; None where there are none.

    Args:
        labels: whole numbers from 0, which is no region; in the shape of the image, where a leading axis of
            length 1 stands for all its positions; or in that of one plane or stack of it, as the network
            takes them, whose regions then apply to all. Axes of length 1 may be missing.
        positions: number of positions along every leading axis.
        plane: shape of the network's input [(z) y x].
        where: name of the label image in messages.

    Raises:
        ImageError: shape not that of the image, or values that are not labels.
    """
    whole = (*positions, *plane)
    places, sides = list(np.ndindex(*positions)), positions
    if len(labels.shape) == len(whole):
        sides = labels.shape[: len(positions)]
        fits = all(side in (1, n) for side, n in zip(sides, positions, strict=True))
        fits = fits and labels.shape[len(positions) :] == plane
    else:
        own = _long(labels.shape) == _long(whole)
        fits = own or _long(labels.shape) == _long(plane)
        sides = positions if own else (1,) * len(positions)
    if not fits:
        kind = "plane" if len(plane) == 2 else "stack"  # whichever the network takes
        raise ImageError(
            f"{where}: labels must have the shape of the image or of one {kind} of it (got "
            f"{labels.shape}, not {whole}). Give a label image of the same pixels."
        )
    # Labels may lack an axis of length 1, so that only the long ones index into them.
    keys = [tuple(i for i, side in zip(at, sides, strict=True) if side > 1) for at in places]
    found = {key: _label_division(labels, key, plane, where) for key in dict.fromkeys(keys)}
    return tuple(found[key] for key in keys)


def _long(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Sizes of the axes before y and x that are longer than 1, then of y and x."""
    return (*(side for side in shape[:-2] if side > 1), *shape[-2:])


def _label_division(
    labels: LazyArray, key: tuple[int, ...], plane: tuple[int, ...], where: str
) -> Division | None:
    """Regions at one place along the long leading axes; None if there are none."""
    read = partial(_read, labels, key)
    there = LazyPixels(shape=plane, dtype=labels.dtype, read=read, source=where)
    values: AnyArray = np.empty(0, labels.dtype)
    for _, block in blocks(there):
        _refuse(block, where)
        values = np.union1d(values, block)
    values = values[values > 0]
    if not len(values):
        return None
    index = attrs.evolve(there, dtype=np.dtype(np.int64), read=partial(_read_numbers, there, values))
    return Division(name=LABELS, index=index, count=len(values), labels=tuple(int(value) for value in values))


def _read(labels: LazyArray, key: tuple[int, ...], window: Window) -> AnyArray:
    long = iter((*key, *window[:-2]))
    leading = [0 if side == 1 else next(long) for side in labels.shape[:-2]]
    found: Any = labels[(*leading, *window[-2:])]
    return np.asarray(found).reshape([part.stop - part.start for part in window])


def _read_numbers(labels: LazyPixels, values: AnyArray, window: Window) -> AnyArray:
    found = np.asarray(labels[window])
    return np.where(found > 0, np.searchsorted(values, found), -1)


def _refuse(labels: AnyArray, where: str) -> None:
    """Refuse values that are not labels."""
    whole = labels.dtype.kind in "iub" or (labels.dtype.kind == "f" and (labels == np.floor(labels)).all())
    if not whole or labels.min() < 0:
        raise ImageError(
            f"{where}: labels must be whole numbers from 0 (got {labels.dtype}, smallest {labels.min()}). "
            f"Give a label image: 0 for no region, 1, 2, ... for the regions."
        )
