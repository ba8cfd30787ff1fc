"""Sums over the parts of regions that lie in one tile, from samples that come one at a time."""

from collections.abc import Mapping, Sequence
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from denoisplit.core.arrays import AnyArray, Float64Array
from denoisplit.core.assessment.label_arrays import sums_over

_PLACE: Final = "place of sums"


@attrs.frozen(eq=False)
class TileSums:
    """Sums over the parts of regions that lie in one tile.

    Attributes:
        place: where the tile begins; tiles of one prediction do not overlap.
        parts: for every division, the regions that reach into the tile [n], and their sums [s c n].
    """

    place: tuple[int, ...]
    parts: tuple[tuple[npt.NDArray[np.int64], Float64Array], ...]

    def arrays(self) -> dict[str, AnyArray]:
        """Ready for a file or another process."""
        found: dict[str, AnyArray] = {_PLACE: np.array(self.place, dtype=np.int64)}
        for number, (regions, sums) in enumerate(self.parts):
            found |= {f"regions {number}": regions, f"sums {number}": sums}
        return found

    @classmethod
    def of(cls, arrays: Mapping[str, AnyArray]) -> "TileSums":
        """Again, from ``arrays`` among others."""
        count = sum(name.startswith("sums ") for name in arrays)
        parts = ((arrays[f"regions {number}"], arrays[f"sums {number}"]) for number in range(count))
        return cls(tuple(arrays[_PLACE].tolist()), tuple(parts))


class TileSummer:
    """Takes in the samples of one tile.

    Args:
        indices: number of the region of every pixel of the image, -1 for none; one array per division.
        where: the tile [(z) y x].
    """

    def __init__(self, indices: Sequence[AnyArray], where: tuple[slice, ...]) -> None:
        self._place = tuple(int(part.start or 0) for part in where)
        self._reached = [_reached(np.asarray(index[where])) for index in indices]
        self._sums: list[list[Float64Array]] = [[] for _ in indices]

    def add(self, pixels: AnyArray) -> None:
        """Take in the next sample [c (z) y x], counts."""
        for (regions, index), sums in zip(self._reached, self._sums, strict=True):
            sums.append(sums_over(index, pixels, len(regions)))

    def finish(self) -> TileSums:
        """What came in."""
        pairs = zip(self._reached, self._sums, strict=True)
        return TileSums(self._place, tuple((regions, np.stack(sums)) for (regions, _), sums in pairs))


def _reached(index: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """The regions that reach into a part of a division [n], and which of these every pixel is in, or -1."""
    reached = np.unique(index[index >= 0])
    return reached, np.where(index >= 0, np.searchsorted(reached, index), -1).astype(np.int32)
