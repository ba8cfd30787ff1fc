"""Search for pixels that two images share, whatever part of each other they are.

Blocks of pixels are hashed at every position; those whose hash falls into a fixed small range of values are
kept. Only the pixels of a block decide whether it is kept, so a crop keeps the same blocks as the whole
image. Two images overlap if several of their blocks agree at one and the same shift.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from denoisplit.core.images.bases import Field
from denoisplit.core.images.block_hashes import BLOCK, KEPT, Hashes, Integers, Kept, kept_of_image

AGREEING: Final = 3
"""Least blocks at one shift that are an overlap; an overlap of 32 x 32 pixels has 20 on average."""
_AGREE_OF_ALL: Final = 0.1
"""Least share of the kept blocks in the common area that agree; low, as a field has several images."""
_LEAST_SPAN: Final = 10
"""Least rows and columns over which their places spread."""
_MOST_PLACES: Final = 8

_MANY_PIXELS: Final = 2**27
"""Pixels of all fields together above which fewer blocks are kept; only larger overlaps are found then."""


@attrs.frozen
class Blocks:
    """Kept blocks of several fields, one entry each (hash, number of the field, first row and column).

    Also the sides of every field.
    """

    hashes: Hashes = attrs.field(eq=False)
    fields: Integers = attrs.field(eq=False)
    rows: Integers = attrs.field(eq=False)
    columns: Integers = attrs.field(eq=False)
    sides: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, fields: Sequence[Kept]) -> "Blocks":
        """Join the kept blocks of several fields."""
        kept = Kept.joined(list(fields))
        numbers = [np.full(own.hashes.size, number, np.int32) for number, own in enumerate(fields)]
        number_of = np.concatenate([*numbers, np.empty(0, np.int32)])
        return cls(kept.hashes, number_of, kept.rows, kept.columns, tuple(own.sides for own in fields))

    def only(self, kept: npt.NDArray[np.bool_]) -> "Blocks":
        """Select some of the blocks."""
        return Blocks(self.hashes[kept], self.fields[kept], self.rows[kept], self.columns[kept], self.sides)


@attrs.frozen(kw_only=True)
class Overlap:
    """Two fields that share pixels.

    Attributes:
        first, second: split and name of each field.
        shift: rows and columns from a pixel of the first to the same pixel of the second.
    """

    first: tuple[str, str]
    second: tuple[str, str]
    shift: tuple[int, int]


def first_overlap(blocks: Mapping[str, Blocks], names: Mapping[str, Sequence[str]]) -> Overlap | None:
    """Find two fields of different splits that share pixels, if there are any.

    Observed, clean and recorded mixed images are compared, in all channels and planes. Overlaps of 32 x 32
    pixels and more are found (one in a million is missed); smaller ones often. With more than 2^27 pixels in
    all, the area from which overlaps are found grows with their number. Mirrored, turned, rescaled or
    re-compressed copies are not found, nor are blocks without structure or noise.
    """
    splits = list(blocks)
    for number, first in enumerate(splits):
        for second in splits[number + 1 :]:
            found = _common(blocks[first], blocks[second])
            if found is not None:
                one, other, shift = found
                return Overlap(
                    first=(first, names[first][one]), second=(second, names[second][other]), shift=shift
                )
    return None


def overlapping(fields: Sequence[Field], others: Sequence[Field]) -> tuple[bool, ...]:
    """Whether each of the fields shares pixels with any of the others, see ``first_overlap``."""
    rarity = rarity_of([*fields, *others])
    blocks = kept_blocks(others, rarity)
    return tuple(_common(kept_blocks([field], rarity), blocks) is not None for field in fields)


def overlapping_pairs(fields: Sequence[Field]) -> tuple[tuple[int, int], ...]:
    """Numbers of all fields, two by two, that share pixels, the lower first; see ``first_overlap``."""
    blocks = kept_blocks(fields, rarity_of(fields))
    own = np.unique(np.stack([blocks.hashes, blocks.fields.astype(np.uint64)]), axis=1)[0]
    shared = np.unique(own[1:][own[1:] == own[:-1]])
    found = {(one, other) for one, other, _ in _alike(blocks, blocks, shared) if one < other}
    return tuple(sorted(found))


def rarity_of(fields: Sequence[Field]) -> int:
    """Return of how many blocks one is kept; all fields need the same, or equal blocks would not meet."""
    return KEPT * max(1, sum(math.prod(field.observed.shape) for field in fields) // _MANY_PIXELS)


def kept_blocks(fields: Sequence[Field], rarity: int = KEPT) -> Blocks:
    """Return the kept blocks of fields, one of ``rarity``; time grows with the number of pixels."""
    return Blocks.of(
        [
            Kept.joined(
                [
                    kept_of_image(image, rarity)
                    for image in (field.observed, field.clean, field.mixed)
                    if image is not None
                ]
            )
            for field in fields
        ]
    )


def _common(one: Blocks, other: Blocks) -> tuple[int, int, tuple[int, int]] | None:
    """Return a field of each that share enough blocks at one shift, and the shift."""
    candidates = np.intersect1d(_distinct(one.hashes), _distinct(other.hashes), assume_unique=True)
    return next(_alike(one, other, candidates), None)


def _alike(one: Blocks, other: Blocks, candidates: Hashes) -> Iterator[tuple[int, int, tuple[int, int]]]:
    """Yield every field of each that share enough of some blocks at one shift, and the shift."""
    if candidates.size >= AGREEING:
        candidates = candidates[_rare(candidates, one) & _rare(candidates, other)]
    if candidates.size < AGREEING:
        return
    everything = (one, other)
    one, other = (blocks.only(np.isin(blocks.hashes, candidates)) for blocks in everything)
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
    for (first, second, *by), agreeing in votes.items():
        if len(agreeing) < AGREEING:
            continue
        if _convincing(*everything, (first, second), (by[0], by[1]), agreeing):
            yield first, second, (by[0], by[1])


def _convincing(
    one: Blocks, other: Blocks, fields: tuple[int, int], shift: tuple[int, int], agreeing: set[int]
) -> bool:
    """Whether the blocks shared at a shift cover the common area of two fields, and are no single spot.

    Noise-free spots look the same in many images, and a spot has several blocks. But if images overlap, their
    blocks agree all over the common area.
    """
    places = (one.rows, one.columns)
    area = [
        (max(0, -by), min(side, beside - by) - BLOCK + 1)
        for by, side, beside in zip(shift, one.sides[fields[0]], other.sides[fields[1]], strict=True)
    ]
    inside = one.fields == fields[0]
    for place, (low, high) in zip(places, area, strict=True):
        inside &= (place >= low) & (place < high)
    alike = inside & np.isin(one.hashes, np.fromiter(agreeing, np.uint64))
    if np.count_nonzero(alike) < _AGREE_OF_ALL * np.count_nonzero(inside):
        return False
    return all(
        np.ptp(place[alike]) + 1 >= max(_LEAST_SPAN, (high - low) / 2)
        for place, (low, high) in zip(places, area, strict=True)
    )


def _distinct(hashes: Hashes) -> Hashes:
    """Return every hash once, sorted; for millions, ``numpy.unique`` takes ten times as long."""
    ordered = np.sort(hashes)
    new = np.ones(ordered.size, np.bool_)
    new[1:] = ordered[1:] != ordered[:-1]
    distinct: Hashes = ordered[new]
    return distinct


def _rare(candidates: Hashes, blocks: Blocks) -> npt.NDArray[np.bool_]:
    """Whether each hash occurs at few places, and never at two of one field.

    Repeating patterns are no evidence of a shift, and neither are spots that look the same.
    """
    places = blocks.rows.astype(np.int64) << 32 | blocks.columns
    everywhere = _places_of_each(candidates, blocks.hashes, places)
    ours = np.isin(blocks.hashes, candidates)
    within, field = blocks.hashes[ours], blocks.fields[ours]
    order = np.lexsort((places[ours], field, within))
    within, field, places = within[order], field[order], places[ours][order]
    again = (within[1:] == within[:-1]) & (field[1:] == field[:-1]) & (places[1:] != places[:-1])
    rare: npt.NDArray[np.bool_] = (everywhere <= _MOST_PLACES) & ~np.isin(candidates, within[1:][again])
    return rare


def _places_of_each(
    candidates: Hashes, hashes: Hashes, places: npt.NDArray[np.int64]
) -> npt.NDArray[np.intp]:
    """Return the number of different places of each hash."""
    order = np.lexsort((places, hashes))
    hashes, places = hashes[order], places[order]
    new = np.ones(hashes.size, dtype=np.bool_)
    new[1:] = (hashes[1:] != hashes[:-1]) | (places[1:] != places[:-1])
    values, counts = np.unique(hashes[new], return_counts=True)
    of_each: npt.NDArray[np.intp] = counts[np.searchsorted(values, candidates)]
    return of_each
