"""Find pixels that two images share, whatever part of each other they are.

Blocks of pixels are hashed at every position; those whose hash falls into a fixed small part of all numbers
are kept. Which blocks these are depends on their pixels alone, so that a crop keeps the same ones as the
whole image. Two images overlap where several of their blocks agree at one and the same shift.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt

from denoisplit.core.images.interfaces import Field, FloatArray, LazyArray
from denoisplit.core.images.streamed import BLOCK_PIXELS, is_lazy

BLOCK: Final = 8
"""Side of a block, pixels."""
KEPT: Final = 32
"""One block of this many is kept."""
AGREEING: Final = 3
"""Blocks at one shift that make an overlap; an overlap of 32 x 32 pixels has 20 on average."""
_MOST_PLACES: Final = 8
_VARIED: Final = 3
"""One of so many pairs of neighbours has to differ, along both axes: dark and saturated blocks are alike."""

_MANY_PIXELS: Final = 2**27
"""Of all fields together, above which fewer blocks are kept; overlaps have to be larger then to be found."""

_ROW, _COLUMN = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)
_SCATTER = np.uint64(0xD6E8FEB86659FD93)
_HALF = np.uint64(32)
_ONE = np.uint64(1)

Integers = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]


@attrs.frozen
class Blocks:
    """The kept blocks of some fields, one entry each: hash, number of the field, first row and column."""

    hashes: Hashes = attrs.field(eq=False)
    fields: Integers = attrs.field(eq=False)
    rows: Integers = attrs.field(eq=False)
    columns: Integers = attrs.field(eq=False)

    def only(self, kept: npt.NDArray[np.bool_]) -> "Blocks":
        """Some of them."""
        return Blocks(self.hashes[kept], self.fields[kept], self.rows[kept], self.columns[kept])


@attrs.frozen(kw_only=True)
class Overlap:
    """Two fields that share pixels.

    Attributes:
        first, second: split and name of the fields.
        shift: rows and columns from a pixel of the first to the same pixel of the second.
    """

    first: tuple[str, str]
    second: tuple[str, str]
    shift: tuple[int, int]


def find_overlap(splits: Mapping[str, Sequence[Field]]) -> Overlap | None:
    """Two fields of different splits that share pixels, if there are any.

    Observed, clean and recorded mixed images count, all their channels and planes. Overlaps of 32 x 32 pixels
    and more are found (one in a million is missed); smaller ones often. Of more than 2^27 pixels in all, the
    area of what is found grows with their number. Mirrored, turned, rescaled or
    re-compressed copies are not found, and neither are blocks without structure or noise.

    Args:
        splits: name of a split to its fields.
    """
    rarity = _rarity([field for fields in splits.values() for field in fields])
    blocks = {name: kept_blocks(fields, rarity) for name, fields in splits.items() if fields}
    names = list(blocks)
    for number, first in enumerate(names):
        for second in names[number + 1 :]:
            found = _common(blocks[first], blocks[second])
            if found is not None:
                one, other, shift = found
                return Overlap(
                    first=(first, splits[first][one].name),
                    second=(second, splits[second][other].name),
                    shift=shift,
                )
    return None


def overlapping(fields: Sequence[Field], others: Sequence[Field]) -> tuple[bool, ...]:
    """Whether each of the fields shares pixels with any of the others, see ``find_overlap``."""
    rarity = _rarity([*fields, *others])
    blocks = kept_blocks(others, rarity)
    return tuple(_common(kept_blocks([field], rarity), blocks) is not None for field in fields)


def _rarity(fields: Sequence[Field]) -> int:
    """Of how many blocks one is kept: the same ones everywhere, or equal blocks would not be compared."""
    return KEPT * max(1, sum(math.prod(field.observed.shape) for field in fields) // _MANY_PIXELS)


def kept_blocks(fields: Sequence[Field], rarity: int = KEPT) -> Blocks:
    """The kept blocks of fields, one of ``rarity``; time goes with the number of pixels."""
    parts: list[tuple[Hashes, Integers, Integers]] = []
    numbers: list[Integers] = []
    for number, field in enumerate(fields):
        for image in (field.observed, field.clean, field.mixed):
            for plane, first in () if image is None else _bands(image):
                hashes, rows, columns = _of_plane(plane, rarity)
                parts.append((hashes, rows + first, columns))
                numbers.append(np.full(hashes.size, number, dtype=np.int64))
    if not parts:
        none = np.empty(0, dtype=np.int64)
        return Blocks(np.empty(0, dtype=np.uint64), none, none, none)
    hashes, rows, columns = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return Blocks(hashes, np.concatenate(numbers), rows, columns)


def _bands(image: LazyArray) -> Iterator[tuple[FloatArray, int]]:
    """Rows of every plane with the number of the first, each block of pixels in one of the bands."""
    *leading, height, width = image.shape
    step = max(BLOCK, BLOCK_PIXELS // width) if is_lazy(image) else height
    for index in np.ndindex(*leading):
        for start in range(0, height, step):
            yield np.asarray(image[(*index, slice(start, start + step + BLOCK - 1))]), start


def _of_plane(plane: FloatArray, rarity: int) -> tuple[Hashes, Integers, Integers]:
    """Hashes, first rows and first columns of the kept blocks of one plane [y x]."""
    if min(plane.shape) < BLOCK:
        none = np.empty(0, dtype=np.int64)
        return np.empty(0, dtype=np.uint64), none, none
    hashes = _block_hashes(plane)
    rows, columns = np.nonzero(hashes < np.uint64(2**64 // rarity))
    varied = np.ones(rows.size, dtype=np.bool_)
    for axis in (0, 1):
        changes = np.diff(plane, axis=axis) != 0
        sides = (BLOCK - 1, BLOCK) if axis == 0 else (BLOCK, BLOCK - 1)
        varied &= _sums(changes, rows, columns, sides) * _VARIED >= BLOCK * (BLOCK - 1)
    rows, columns = rows[varied], columns[varied]
    return hashes[rows, columns], rows.astype(np.int64), columns.astype(np.int64)


def _block_hashes(plane: FloatArray) -> Hashes:
    """A hash of the block that begins at every pixel, modulo 2^64."""
    # Adding zero makes one number of the two zeros.
    values = (np.ascontiguousarray(plane, dtype=np.float32) + np.float32(0)).view(np.uint32)
    hashes = _scattered(values.astype(np.uint64))
    for axis, factor in ((0, _ROW), (1, _COLUMN)):
        step, power = 1, factor
        while step < BLOCK:
            early, late = (hashes[:, :-step], hashes[:, step:]) if axis else (hashes[:-step], hashes[step:])
            hashes = early * power + late
            step, power = 2 * step, _squared(power)
    return _scattered(hashes + _ONE)


def _squared(value: np.uint64) -> np.uint64:
    return np.uint64(int(value) ** 2 % 2**64)


def _scattered(values: Hashes) -> Hashes:
    """The same numbers, one to one, with all their bits mixed: counts fill only some bits of a float."""
    for _ in range(2):
        values = values * _SCATTER
        values ^= values >> _HALF
    return values * _SCATTER


def _sums(
    flags: npt.NDArray[np.bool_], rows: npt.NDArray[Any], columns: npt.NDArray[Any], sides: tuple[int, int]
) -> Integers:
    """Number of flags in windows of these sides."""
    table = np.zeros((flags.shape[0] + 1, flags.shape[1] + 1), dtype=np.int64)
    np.cumsum(flags, axis=0, out=table[1:, 1:])
    np.cumsum(table[1:, 1:], axis=1, out=table[1:, 1:])
    below, beside = rows + sides[0], columns + sides[1]
    sums: Integers = table[below, beside] - table[rows, beside] - table[below, columns] + table[rows, columns]
    return sums


def _common(one: Blocks, other: Blocks) -> tuple[int, int, tuple[int, int]] | None:
    """Fields of both that share enough blocks at one shift."""
    candidates = np.intersect1d(one.hashes, other.hashes)
    candidates = candidates[_rare(candidates, one) & _rare(candidates, other)]
    if candidates.size < AGREEING:
        return None
    one, other = (blocks.only(np.isin(blocks.hashes, candidates)) for blocks in (one, other))
    votes: dict[tuple[int, int, int, int], set[int]] = {}
    places: dict[int, list[int]] = {}
    for index, value in enumerate(one.hashes.tolist()):
        places.setdefault(value, []).append(index)
    for index, value in enumerate(other.hashes.tolist()):
        for same in places[value]:
            shift = (
                int(other.rows[index] - one.rows[same]),
                int(other.columns[index] - one.columns[same]),
            )
            key = (int(one.fields[same]), int(other.fields[index]), *shift)
            votes.setdefault(key, set()).add(value)
            if len(votes[key]) >= AGREEING:
                return key[0], key[1], shift
    return None


def _rare(candidates: Hashes, blocks: Blocks) -> npt.NDArray[np.bool_]:
    """Whether each hash stands for blocks at few places: repeating patterns say nothing about one."""
    places = blocks.rows << 32 | blocks.columns
    order = np.lexsort((places, blocks.hashes))
    hashes, places = blocks.hashes[order], places[order]
    new = np.ones(hashes.size, dtype=np.bool_)
    new[1:] = (hashes[1:] != hashes[:-1]) | (places[1:] != places[:-1])
    values, counts = np.unique(hashes[new], return_counts=True)
    few: npt.NDArray[np.bool_] = counts[np.searchsorted(values, candidates)] <= _MOST_PLACES
    return few
