"""Hashes of pixel blocks by which shared pixels of images are found; a small part of them is kept.

Only the pixels of a block decide whether it is kept, so a crop keeps the same blocks as the whole image.
"""

from collections.abc import Callable, Iterator
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from denoisplit.core.arrays import AnyArray
from denoisplit.core.images.block_walks import BLOCK_PIXELS
from denoisplit.core.images.lazy import LazyArray

BLOCK: Final = 8
"""Side of a block, pixels."""
KEPT: Final = 32
"""One of this many blocks is kept."""
_VARIED: Final = 3
"""At least one of this many pairs of neighbours must differ along both axes: dark and saturated blocks are
all alike."""

_TILE: Final = (96, 384)
"""Rows and columns that are hashed together: two copies of them as uint64 fit into the cache."""

_ROW, _COLUMN = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)
_SCATTER = np.uint64(0xD6E8FEB86659FD93)
_HALF = np.uint64(32)
_ONE = np.uint64(1)

Integers = npt.NDArray[np.int32]
Hashes = npt.NDArray[np.uint64]


@attrs.frozen
class Kept:
    """Kept blocks, one entry each: hash, first row, first column; and the sides of the image, pixels."""

    hashes: Hashes = attrs.field(eq=False)
    rows: Integers = attrs.field(eq=False)
    columns: Integers = attrs.field(eq=False)
    sides: tuple[int, int] = (0, 0)

    @classmethod
    def joined(cls, parts: list["Kept"]) -> "Kept":
        """Join the blocks of several images in their order."""
        if not parts:
            none = np.empty(0, dtype=np.int32)
            return cls(np.empty(0, dtype=np.uint64), none, none)
        if len(parts) == 1:  # saves a copy for large images
            return parts[0]
        return cls(
            np.concatenate([part.hashes for part in parts]),
            np.concatenate([part.rows for part in parts]),
            np.concatenate([part.columns for part in parts]),
            (max(part.sides[0] for part in parts), max(part.sides[1] for part in parts)),
        )


def kept_of_image(image: LazyArray, rarity: int, watch: Callable[[AnyArray], object] | None = None) -> Kept:
    """Return the kept blocks of all planes of an image [... y x]; its pixels are read once.

    Args:
        image: the image.
        rarity: one of this many blocks is kept.
        watch: called with all pixels in their order, as rows [y x] of one plane after the other.
    """
    parts = []
    for band, first, fresh in _bands(image):
        if watch is not None:
            watch(fresh)
        found = _kept_of_plane(band, rarity)
        parts.append(attrs.evolve(found, rows=found.rows + first))
    return attrs.evolve(Kept.joined(parts), sides=(image.shape[-2], image.shape[-1]))


def _bands(image: LazyArray) -> Iterator[tuple[AnyArray, int, AnyArray]]:
    """Yield bands of rows of every plane, the number of their first row, and their new rows.

    Bands of a plane overlap, so that every block lies in exactly one of them.
    """
    *leading, height, width = image.shape
    step = max(1, BLOCK_PIXELS // width)
    for index in np.ndindex(*leading):
        above: AnyArray | None = None
        for start in range(0, height, step):
            fresh = np.asarray(image[(*index, slice(start, min(start + step, height)))])
            band = fresh if above is None else np.concatenate([above, fresh])
            yield band, start + len(fresh) - len(band), fresh
            above = band[-(BLOCK - 1) :]


def _kept_of_plane(plane: AnyArray, rarity: int) -> Kept:
    """Return the kept blocks of one plane [y x], row by row."""
    height, width = (side - BLOCK + 1 for side in plane.shape)
    parts = []
    for row in range(0, height, _TILE[0]):
        for column in range(0, width, _TILE[1]):
            ends = (row + _TILE[0] + BLOCK - 1, column + _TILE[1] + BLOCK - 1)
            found = _kept_of_tile(plane[row : ends[0], column : ends[1]], rarity)
            parts.append(Kept(found.hashes, found.rows + row, found.columns + column))
    kept = Kept.joined(parts)
    order = np.lexsort((kept.columns, kept.rows))
    return Kept(kept.hashes[order], kept.rows[order], kept.columns[order])


def _kept_of_tile(tile: AnyArray, rarity: int) -> Kept:
    hashes = _block_hashes(tile)
    rows, columns = np.nonzero(hashes < np.uint64(2**64 // rarity))
    pixels = sliding_window_view(tile, (BLOCK, BLOCK))[rows, columns]
    varied = np.ones(rows.size, dtype=np.bool_)
    for one, other in ((pixels[:, 1:], pixels[:, :-1]), (pixels[:, :, 1:], pixels[:, :, :-1])):
        changes = np.count_nonzero(one != other, axis=(1, 2))
        varied &= changes * _VARIED >= BLOCK * (BLOCK - 1)
    rows, columns = rows[varied], columns[varied]
    return Kept(hashes[rows, columns], rows.astype(np.int32), columns.astype(np.int32))


def _block_hashes(tile: AnyArray) -> Hashes:
    """Return the hash of the block that begins at every pixel, modulo 2^64."""
    # Adding zero turns negative zero into zero, so that equal pixels have equal bits.
    values = (np.ascontiguousarray(tile, dtype=np.float32) + np.float32(0)).view(np.uint32)
    hashes = _scattered(values.astype(np.uint64))
    for axis, factor in ((0, _ROW), (1, _COLUMN)):
        step, power = 1, factor
        while step < BLOCK:
            early, late = (hashes[:, :-step], hashes[:, step:]) if axis else (hashes[:-step], hashes[step:])
            hashes = early * power
            hashes += late
            step, power = 2 * step, _squared(power)
    hashes += _ONE
    return _scattered(hashes)


def _squared(value: np.uint64) -> np.uint64:
    return np.uint64(int(value) ** 2 % 2**64)


def _scattered(values: Hashes) -> Hashes:
    """Mix all bits of numbers, one to one and in place: counts fill only some bits of a float.

    A bijection keeps different numbers different.
    """
    for _ in range(2):
        values *= _SCATTER
        values ^= values >> _HALF
    values *= _SCATTER
    return values
