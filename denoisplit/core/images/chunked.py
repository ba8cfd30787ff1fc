"""Reading of chunked files by whole chunks, so that a walk through an image decodes each chunk once."""

import math
from collections.abc import Callable, Sequence
from typing import Any, Final, final

import numpy as np

from denoisplit.core.arrays import AnyArray, Window

MOST: Final = 2**27
"""Most bytes of chunks that are decoded together for a region that needs only a part of them."""


@final
class ByChunks:
    """Reader of regions by whole chunks, which keeps those that the last region cut through.

    Bands of rows, one below the other, cut through rows of chunks: without this, every band would decode
    again those that it shares with its neighbours. At most one layer of chunks is kept, and none after a
    region that ends at a border of chunks. Copies for other processes go without the kept pixels.

    Args:
        read: function that returns the pixels of a region.
        shape: shape of the image.
        chunks: sides of a chunk.
        itemsize: bytes of a pixel.
    """

    def __init__(
        self, read: Callable[[Window], AnyArray], shape: Sequence[int], chunks: Sequence[int], itemsize: int
    ) -> None:
        self._read, self._itemsize = read, itemsize
        self._shape, self._chunks = tuple(shape), tuple(chunks)
        self._kept: tuple[Window, AnyArray] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._read, self._shape, self._chunks, self._itemsize)

    def __call__(self, region: Window) -> AnyArray:
        """Return the pixels of a region; they must not be changed."""
        box = self._touched(region)
        pixels = self._pixels(box)
        self._kept = _last_layer(region, box, self._chunks, pixels)
        return pixels[_inside(region, box)]

    def _touched(self, region: Window) -> Window:
        """Widen a region to whole chunks, along as many of the last axes as ``MOST`` allows."""
        box = list(region)
        for axis in reversed(range(len(region))):
            part, side = region[axis], self._chunks[axis]
            wider = list(box)
            stop = min(-(-part.stop // side) * side, self._shape[axis])
            wider[axis] = slice(part.start // side * side, stop)
            if math.prod(p.stop - p.start for p in wider) * self._itemsize <= MOST:
                box = wider
        return tuple(box)

    def _pixels(self, box: Window) -> AnyArray:
        kept = self._kept
        if kept is None:
            return np.asarray(self._read(box))
        known, pixels = kept
        pairs = list(zip(box, known, strict=True))
        beyond = [axis for axis, (part, has) in enumerate(pairs) if part.stop > has.stop]
        begins = all(has.start <= part.start < has.stop for part, has in pairs)
        if not begins or len(beyond) > 1:
            return np.asarray(self._read(box))
        if not beyond:
            return pixels[_inside(box, known)]
        (axis,) = beyond
        border = known[axis].stop
        first = (*box[:axis], slice(box[axis].start, border), *box[axis + 1 :])
        rest = (*box[:axis], slice(border, box[axis].stop), *box[axis + 1 :])
        return np.concatenate([pixels[_inside(first, known)], self._read(rest)], axis=axis)


def _inside(region: Window, box: Window) -> Window:
    """Return a region relative to a box around it."""
    return tuple(slice(a.start - b.start, a.stop - b.start) for a, b in zip(region, box, strict=True))


def _last_layer(
    region: Window, box: Window, chunks: Sequence[int], pixels: AnyArray
) -> tuple[Window, AnyArray] | None:
    """Return the last layer of chunks along the first axis where the region ends inside a chunk."""
    for axis, (part, whole) in enumerate(zip(region, box, strict=True)):
        if part.stop < whole.stop:
            start = max(whole.start, (part.stop // chunks[axis]) * chunks[axis])
            layer = (*box[:axis], slice(start, whole.stop), *box[axis + 1 :])
            inner = pixels[_inside(layer, box)]
            return layer, inner if inner.shape == pixels.shape else inner.copy()
    return None
