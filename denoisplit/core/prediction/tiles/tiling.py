"""Division of an image of any size into tiles. Geometry only; regions are in pixels of the padded image."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import product
from typing import final

import attrs

from denoisplit.core.images.derived_images import padded
from denoisplit.core.images.lazy import LazyArray


@attrs.frozen
class Box:
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
    def pixels(self) -> int:
        """Number of pixels."""
        return math.prod(self.shape)

    @property
    def slices(self) -> tuple[slice, ...]:
        """The region as an index of the whole image."""
        return tuple(slice(a, b) for a, b in zip(self.start, self.stop, strict=True))

    def within(self, outer: "Box") -> tuple[slice, ...]:
        """The region as an index of an array that holds ``outer``."""
        limits = zip(self.start, self.stop, outer.start, strict=True)
        return tuple(slice(a - origin, b - origin) for a, b, origin in limits)

    def with_span(self, axis: int, start: int, stop: int) -> "Box":
        """The same box with another first and last pixel along an axis."""
        starts, stops = list(self.start), list(self.stop)
        starts[axis], stops[axis] = start, stop
        return Box(tuple(starts), tuple(stops))


@attrs.frozen
class Tile:
    """The area that one pass of the network sees, and the part of it that is kept.

    Attributes:
        outer: area that the network sees; starts and ends at multiples of the stride.
        inner: area that is kept; the inner areas of all tiles cover every pixel of the image once.
    """

    outer: Box
    inner: Box


def round_up(size: int, multiple: int) -> int:
    """Smallest multiple that is at least ``size``, and at least one ``multiple``."""
    return max(1, -(-size // multiple)) * multiple


def canvas_shape(shape: Sequence[int], stride: Sequence[int]) -> tuple[int, ...]:
    """Shape of the padded image: the next multiples of the stride, at least one stride."""
    return tuple(round_up(n, s) for n, s in zip(shape, stride, strict=True))


def pad_to_canvas(image: LazyArray, stride: Sequence[int]) -> LazyArray:
    """Pad an image [(z) y x] by reflection at the far side of every axis (a single pixel is repeated)."""
    return padded(image, canvas_shape(image.shape, stride))


@attrs.frozen(kw_only=True)
class Surround(ABC):
    """The surround that a network needs to see around the inner area of a tile.

    Attributes:
        halo: pixels on each side on which the inner area depends, per axis, a multiple of the stride.
        stride: total stride of the coarsest level per axis.
        canvas: pixels of the padded image per axis.
    """

    halo: tuple[int, ...]
    stride: tuple[int, ...]
    canvas: tuple[int, ...]

    def tile(self, inner: Box, sides: Sequence[int]) -> Tile:
        """The tile of an inner area that begins at a multiple of the stride.

        Args:
            inner: the inner area.
            sides: its sides, or larger ones for an outer area as large as theirs.
        """
        spans = zip(inner.start, sides, self.halo, self.stride, self.canvas, strict=True)
        low, high = zip(*(self._span(*numbers) for numbers in spans), strict=True)
        return Tile(outer=Box(low, high), inner=inner)

    def halves(self, tile: Tile) -> tuple[Tile, ...]:
        """The tile cut in two, with outer areas as small as possible; uncut if it is a single stride."""
        cuts = [self._cut(tile.inner, axis) for axis in range(len(tile.inner.shape))]
        return min(filter(None, cuts), key=lambda parts: max(p.outer.pixels for p in parts), default=(tile,))

    def _cut(self, inner: Box, axis: int) -> tuple[Tile, ...]:
        """The two halves along an axis; none for a single stride."""
        step, start, stop = self.stride[axis], inner.start[axis], inner.stop[axis]
        middle = start + round_up(-(-(stop - start) // 2), step)
        if middle >= stop:
            return ()
        parts = (inner.with_span(axis, start, middle), inner.with_span(axis, middle, stop))
        return tuple(self.tile(part, tuple(map(round_up, part.shape, self.stride))) for part in parts)

    @abstractmethod
    def _span(self, start: int, side: int, halo: int, stride: int, end: int) -> tuple[int, int]:
        """Start and stop of the outer area along an axis whose canvas ends at ``end``."""


@final
class Clipped(Surround):
    """A halo that is clipped at the border of the padded image.

    A tile there has the same border as the whole image, so tiled prediction equals one pass over the whole
    padded image.
    """

    def _span(self, start: int, side: int, halo: int, stride: int, end: int) -> tuple[int, int]:
        del stride
        return max(0, start - halo), min(end, start + side + halo)


@final
class Moved(Surround):
    """An outer area of fixed size, for a network that also sees the surround of its input.

    How far such a network sees depends on the size of the outer area, so it has the same size for every tile:
    at least two halos, or the whole axis. It is moved into the canvas instead of being clipped. Its centre
    lies whole strides from the centre of the canvas, so that its latents are latents of the whole image.
    The canvas is even where there is more than one tile.
    """

    def _span(self, start: int, side: int, halo: int, stride: int, end: int) -> tuple[int, int]:
        spare = max(0, end - side - 2 * halo)
        outer = end - spare // (2 * stride) * (2 * stride)
        low = min(max(0, start - halo), end - outer)
        return low, low + outer


def plan_tiles(shape: Sequence[int], *, tile: Sequence[int], around: Surround) -> tuple[Tile, ...]:
    """Divide an image into tiles.

    Args:
        shape: pixels of the image per spatial axis, any size >= 1.
        tile: pixels of the inner area per axis, a multiple of the stride.
        around: what the network needs to see around it.

    Returns:
        Tiles, last axis fastest.

    Raises:
        ValueError: an empty axis, or a tile or halo that is not a multiple of the stride.
    """
    _require_sizes(shape, tile=tile, halo=around.halo, stride=around.stride)
    per_axis = [
        [(start, min(size, start + side)) for start in range(0, size, side)]
        for size, side in zip(shape, tile, strict=True)
    ]
    inner = (Box(*zip(*spans, strict=True)) for spans in product(*per_axis))
    return tuple(around.tile(one, tile) for one in inner)


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
