"""How an image of any size is cut into tiles. Geometry only; regions are in pixels of the padded image."""

from collections.abc import Sequence
from itertools import product
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from denoisplit.core.images.interfaces import LazyArray
from denoisplit.core.images.streamed import is_lazy, padded


@attrs.frozen
class Region:
    """A box of pixels.

    Attributes:
        start: first pixel along every axis.
        stop: one past the last pixel along every axis.
    """

    start: tuple[int, ...]
    stop: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Pixels along every axis."""
        return tuple(b - a for a, b in zip(self.start, self.stop, strict=True))

    @property
    def slices(self) -> tuple[slice, ...]:
        """The region as an index of the whole image."""
        return tuple(slice(a, b) for a, b in zip(self.start, self.stop, strict=True))

    def within(self, outer: "Region") -> tuple[slice, ...]:
        """The region as an index of an array that holds ``outer``."""
        limits = zip(self.start, self.stop, outer.start, strict=True)
        return tuple(slice(a - origin, b - origin) for a, b, origin in limits)


@attrs.frozen
class Tile:
    """What one pass of the network sees, and what is kept of it.

    Attributes:
        outer: what the network sees; starts and ends at multiples of the stride.
        inner: what is kept; the inner regions of all tiles cover every pixel of the image once.
    """

    outer: Region
    inner: Region


def round_up(size: int, multiple: int) -> int:
    """Smallest multiple that is at least ``size``, and at least one ``multiple``."""
    return max(1, -(-size // multiple)) * multiple


def canvas_shape(shape: Sequence[int], stride: Sequence[int]) -> tuple[int, ...]:
    """Size of the padded image: the next multiples of the stride, at least one stride."""
    return tuple(round_up(n, s) for n, s in zip(shape, stride, strict=True))


def pad_to_canvas(image: LazyArray, stride: Sequence[int]) -> npt.NDArray[Any]:
    """Image [(z) y x], reflected at the far side of every axis (a single pixel is repeated)."""
    if is_lazy(image):
        return padded(image, canvas_shape(image.shape, stride))
    whole = np.asarray(image)
    for axis, (have, want) in enumerate(zip(image.shape, canvas_shape(image.shape, stride), strict=True)):
        if want > have:
            widths = [(0, want - have if a == axis else 0) for a in range(image.ndim)]
            whole = np.pad(whole, widths, mode="edge") if have == 1 else np.pad(whole, widths, mode="reflect")
    return whole


def plan_tiles(
    shape: Sequence[int], *, tile: Sequence[int], halo: Sequence[int], stride: Sequence[int]
) -> tuple[Tile, ...]:
    """Tiles of an image.

    The halo ends at the border of the padded image, so a tile there has the same border as the whole image,
    and tiled prediction equals one pass over the whole padded image.

    Args:
        shape: pixels of the image per spatial axis, any size >= 1.
        tile: pixels of the inner area per axis, a multiple of the stride.
        halo: pixels on each side that the inner area depends on, a multiple of the stride.
        stride: total stride of the coarsest level per axis.

    Returns:
        Tiles, last axis fastest.

    Raises:
        ValueError: an empty axis, or a tile or halo that is not a multiple of the stride.
    """
    _require_sizes(shape, tile=tile, halo=halo, stride=stride)
    per_axis = [
        [
            (max(0, start - margin), min(end, start + side + margin), start, min(size, start + side))
            for start in range(0, size, side)
        ]
        for size, side, margin, end in zip(shape, tile, halo, canvas_shape(shape, stride), strict=True)
    ]
    return _combined(per_axis)


def plan_windows(
    shape: Sequence[int],
    *,
    tile: Sequence[int],
    halo: Sequence[int],
    stride: Sequence[int],
    canvas: Sequence[int],
) -> tuple[Tile, ...]:
    """Tiles of an image for a network that also sees the surround of its input.

    How far such a network sees depends on the size of the outer area, so it has the same size for every tile:
    at least two halos, or the whole axis. It is moved into the canvas instead of being clipped. Its centre
    lies whole strides from the centre of the canvas, so that its latents are latents of the whole image.

    Args:
        shape: pixels of the image per spatial axis, any size >= 1.
        tile: pixels of the inner area per axis, a multiple of the stride.
        halo: pixels on each side that the inner area depends on, a multiple of the stride.
        stride: total stride of the coarsest level per axis.
        canvas: pixels of the padded image per axis, even where there is more than one tile.

    Returns:
        Tiles, last axis fastest.

    Raises:
        ValueError: see ``plan_tiles``.
    """
    _require_sizes(shape, tile=tile, halo=halo, stride=stride)
    per_axis = []
    for size, side, margin, step, end in zip(shape, tile, halo, stride, canvas, strict=True):
        spare = max(0, end - side - 2 * margin)
        outer = end - spare // (2 * step) * (2 * step)
        lows = [min(max(0, start - margin), end - outer) for start in range(0, size, side)]
        spans = zip(lows, range(0, size, side), strict=True)
        per_axis.append([(low, low + outer, start, min(size, start + side)) for low, start in spans])
    return _combined(per_axis)


def _require_sizes(
    shape: Sequence[int], *, tile: Sequence[int], halo: Sequence[int], stride: Sequence[int]
) -> None:
    for name, numbers, least in (("shape", shape, 1), ("tile", tile, 1), ("halo", halo, 0)):
        if any(n < least for n in numbers):
            raise ValueError(
                f"plan_tiles: {name} must be at least {least} along every axis (got {tuple(numbers)})."
            )
    for name, numbers in (("tile", tile), ("halo", halo)):
        if any(n % s for n, s in zip(numbers, stride, strict=True)):
            raise ValueError(
                f"plan_tiles: {name} must be a multiple of the stride {tuple(stride)} "
                f"(got {tuple(numbers)}). Round it up."
            )


def _combined(per_axis: Sequence[Sequence[tuple[int, int, int, int]]]) -> tuple[Tile, ...]:
    """Tiles of all combinations of spans (outer start and stop, inner start and stop)."""
    tiles = []
    for spans in product(*per_axis):
        low, high, first, last = zip(*spans, strict=True)
        tiles.append(Tile(outer=Region(low, high), inner=Region(first, last)))
    return tuple(tiles)
