"""Sums of every sample over regions, gathered tile by tile, one sample at a time."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np

from denoisplit.core.arrays import AnyArray, Float64Array, IntArray, Window
from denoisplit.core.sums.divisions import Division, sums_over

_PLACE: Final = "place of sums"


class TileSummer:
    """Sums of the samples of one tile over regions.

    Args:
        divisions: divisions of the image.
        where: the tile [(z) y x].
    """

    def __init__(self, divisions: Sequence[Division], where: Window) -> None:
        self._place = [int(part.start or 0) for part in where]
        self._reached = [_reached(np.asarray(division.index[where])) for division in divisions]
        self._sums: list[list[Float64Array]] = [[] for _ in divisions]

    def add(self, pixels: AnyArray) -> None:
        """Add the next sample [c (z) y x], counts."""
        for (regions, index), sums in zip(self._reached, self._sums, strict=True):
            sums.append(sums_over(index, pixels, len(regions)))

    def finish(self) -> dict[str, AnyArray]:
        """Return arrays for ``gathered_sums`` that can go to a file or another process.

        They hold the corner of the tile and, for every division, the regions that reach into the tile [n] and
        their sums [s c n].
        """
        found: dict[str, AnyArray] = {_PLACE: np.array(self._place, dtype=np.int64)}
        for number, ((regions, _), sums) in enumerate(zip(self._reached, self._sums, strict=True)):
            found |= {f"regions {number}": regions, f"sums {number}": np.stack(sums)}
        return found


def gathered_sums(
    divisions: Sequence[Division], tiles: Iterable[Mapping[str, AnyArray]]
) -> tuple[Float64Array, ...]:
    """Add up the tiles: the sums of every sample [s c regions] over every division, counts.

    They are added in the order of their places, whichever was finished first.

    Args:
        divisions: divisions of the image.
        tiles: arrays of ``TileSummer``, others are ignored; tiles cover the image and do not overlap.
    """
    ordered = sorted(tiles, key=lambda found: tuple(found[_PLACE]))
    totals = []
    for number, division in enumerate(divisions):
        parts = [(found[f"regions {number}"], found[f"sums {number}"]) for found in ordered]
        total = np.zeros((*parts[0][1].shape[:2], division.count))
        for reached, sums in parts:
            total[:, :, reached] += sums
        totals.append(total)
    return tuple(totals)


def _reached(index: IntArray) -> tuple[IntArray, AnyArray]:
    """Regions that reach into a part of a division [n], and every pixel's index in this list, or -1."""
    reached = np.unique(index[index >= 0])
    return reached, np.where(index >= 0, np.searchsorted(reached, index), -1).astype(np.int32)
