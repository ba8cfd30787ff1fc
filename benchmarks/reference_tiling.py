"""Tiles of the reference procedure, for comparisons; this project predicts with ``tiling`` instead.

The reference cuts overlapping patches on a grid, keeps the centre of each and pastes it. Pixels beyond the
last whole cell of the grid are never predicted.
"""

from collections.abc import Sequence
from math import prod
from typing import Any, Literal

import attrs
import numpy as np
import numpy.typing as npt
from attrs.validators import ge, in_

from denoisplit.core.images.context_pyramid import reflected_crop


@attrs.frozen(kw_only=True)
class ReferenceGrid:
    """Patches on a grid over frames of equal size; items count frames fastest, then cells, last axis fastest.

    Attributes:
        frames: number of frames.
        shape: shape of a frame along (z) y x, pixels.
        patch: sides of a patch, pixels.
        grid: sides of a cell, pixels; at most those of a patch.
        alignment: ``centre``: a cell lies in the middle of its patch, which may reach beyond the frame
            (evaluation); ``left_top``: a patch begins with its cell (validation).

    Source: Ashesh & Jug, ECCV 2024, code; method sections 5.7 and 7.
    """

    frames: int = attrs.field(validator=ge(1))
    shape: tuple[int, ...]
    patch: tuple[int, ...]
    grid: tuple[int, ...]
    alignment: Literal["centre", "left_top"] = attrs.field(
        default="centre", validator=in_(("centre", "left_top"))
    )

    def __attrs_post_init__(self) -> None:
        sizes = zip(self.shape, self.patch, self.grid, strict=True)
        if any(not 1 <= cell <= side for _, side, cell in sizes):
            raise ValueError(f"grid must be 1 to {self.patch} pixels, the patch (got {self.grid})")

    @property
    def cells(self) -> tuple[int, ...]:
        """Number of cells along every axis."""
        margins = self._twice_margin if self.alignment == "left_top" else (0,) * len(self.shape)
        sizes = zip(self.shape, margins, self.grid, strict=True)
        return tuple(max(0, (size - margin) // cell) for size, margin, cell in sizes)

    def __len__(self) -> int:
        """Number of items."""
        return self.frames * prod(self.cells)

    def cell(self, item: int) -> tuple[int, tuple[int, ...]]:
        """Return frame and first pixel of the cell of an item.

        Raises:
            IndexError: there is no such item.
        """
        if not 0 <= item < len(self):
            raise IndexError(f"item {item} of a grid of {len(self)}. Give 0 or more, and less than that.")
        index = np.unravel_index(item // self.frames, self.cells)
        return item % self.frames, tuple(int(i) * side for i, side in zip(index, self.grid, strict=True))

    def corner(self, item: int) -> tuple[int, ...]:
        """Return the first pixel of the patch of an item; negative where it begins before the frame."""
        _, origin = self.cell(item)
        if self.alignment == "left_top":
            return origin
        return tuple(first - margin // 2 for first, margin in zip(origin, self._twice_margin, strict=True))

    def tile(self, frames: npt.NDArray[Any], item: int) -> npt.NDArray[Any]:
        """Cut the patch [c (z) y x] of an item from frames [n c (z) y x], reflected beyond the frame."""
        return reflected_crop(frames[self.cell(item)[0]], self.corner(item), self.patch)

    def stitch(self, tiles: Sequence[npt.NDArray[Any]] | npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Join the centres of all tiles [c (z) y x] to frames [n c (z) y x]; 0 where there is no cell.

        Raises:
            ValueError: a wrong number of tiles, or a grid that is not centred.
        """
        if self.alignment != "centre" or len(tiles) != len(self):
            raise ValueError(
                f"stitch: needs the {len(self)} tiles of a grid with alignment 'centre' (got {len(tiles)} "
                f"tiles, '{self.alignment}'). Give all tiles in the order of the items."
            )
        first = np.asarray(tiles[0])
        frames = np.zeros((self.frames, first.shape[0], *self.shape), dtype=first.dtype)
        margins = zip(self._twice_margin, self.grid, strict=True)
        inner = tuple(slice(margin // 2, margin // 2 + side) for margin, side in margins)
        for item, tile in enumerate(tiles):
            frame, origin = self.cell(item)
            window = tuple(slice(o, o + side) for o, side in zip(origin, self.grid, strict=True))
            frames[frame][(slice(None), *window)] = tile[(slice(None), *inner)]
        return frames

    @property
    def _twice_margin(self) -> tuple[int, ...]:
        return tuple(side - cell for side, cell in zip(self.patch, self.grid, strict=True))
