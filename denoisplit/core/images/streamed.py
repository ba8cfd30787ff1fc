"""Images that need not fit into memory: blocks of them, numbers about them, and images made of them.

Numbers are gathered block by block. Arrays in memory are cut into the same blocks, so that an image gives the
same numbers to the last bit wherever its pixels are.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final, cast

import attrs
import numpy as np
import numpy.typing as npt

from denoisplit.core.arrays import AnyArray, Float32Array, Window
from denoisplit.core.images.bases import LazyArray
from denoisplit.core.images.lazy import LazyPixels
from denoisplit.core.images.writing import PIECE, pieces

BLOCK_PIXELS: Final = 2**22
"""Pixels that are looked at together."""


def is_lazy(image: LazyArray) -> bool:
    """Whether pixels are read where they are asked for."""
    return not isinstance(image, np.ndarray)


def as_array(pixels: LazyPixels) -> Float32Array:
    """Lazy pixels in the place of an array: code that only cuts out windows takes both."""
    return cast(Float32Array, pixels)


def blocks(image: LazyArray) -> Iterator[tuple[Window, AnyArray]]:
    """Regions that cover an image, in the order of its pixels, and what is in them."""
    for region in regions(image.shape):
        yield region, np.asarray(image[region])


def regions(shape: Sequence[int]) -> Iterator[Window]:
    """The regions of ``blocks`` of an image of this shape."""
    return pieces(tuple(shape), PIECE // BLOCK_PIXELS)


def channel_of(image: LazyArray, channel: int) -> Float32Array:
    """One channel [1 ...] of an image [c ...]."""
    return window(image, (slice(channel, channel + 1),))


def chosen_channels(image: Float32Array, index: Sequence[int]) -> Float32Array:
    """Some channels of an image [c ...], in the order of ``index``."""
    if not is_lazy(image):
        return np.ascontiguousarray(image[list(index)])
    shape = (len(index), *image.shape[1:])
    read = partial(_read_chosen, image, tuple(index))
    return as_array(LazyPixels(shape=shape, dtype=image.dtype, read=read, source="image"))


def _read_chosen(image: LazyArray, index: tuple[int, ...], region: Window) -> AnyArray:
    return np.concatenate([np.asarray(image[(slice(i, i + 1), *region[1:])]) for i in index[region[0]]])


def window(image: LazyArray, place: tuple[slice, ...]) -> Float32Array:
    """A window of the first axes of an image; a view of an array."""
    if not is_lazy(image):
        return np.asarray(image[place])
    full = (*place, *(slice(None),) * (image.ndim - len(place)))
    starts, stops, _ = zip(*(p.indices(n) for p, n in zip(full, image.shape, strict=True)), strict=True)
    return as_array(
        LazyPixels(
            shape=tuple(b - a for a, b in zip(starts, stops, strict=True)),
            dtype=image.dtype,
            read=partial(_read_window, image, starts),
            source=getattr(image, "source", "image"),
        )
    )


def _read_window(image: LazyArray, starts: tuple[int, ...], region: Window) -> AnyArray:
    moved = (slice(a.start + start, a.stop + start) for a, start in zip(region, starts, strict=True))
    return np.asarray(image[tuple(moved)])


def changed(image: Float32Array, change: Callable[[AnyArray], AnyArray], *, axis: int) -> Float32Array:
    """An image, every pixel changed by itself; what is changed has all its channels, along ``axis``."""
    if not is_lazy(image):
        return change(image)
    read = partial(_read_changed, image, change, axis)
    return as_array(
        LazyPixels(shape=tuple(image.shape), dtype=np.dtype(np.float32), read=read, source="image")
    )


def _read_changed(
    image: LazyArray, change: Callable[[AnyArray], AnyArray], axis: int, region: Window
) -> AnyArray:
    whole = (*region[:axis], slice(None), *region[axis + 1 :])
    return change(np.asarray(image[whole]))[(slice(None),) * axis + (region[axis],)]


def elementwise(image: LazyArray, change: Callable[[AnyArray], AnyArray]) -> Float32Array:
    """An image with any axes, every pixel changed by itself and in the same way."""
    if not is_lazy(image):
        return change(np.asarray(image))
    read = partial(_read_elementwise, image, change)
    source = getattr(image, "source", "image")
    return as_array(LazyPixels(shape=tuple(image.shape), dtype=image.dtype, read=read, source=source))


def _read_elementwise(image: LazyArray, change: Callable[[AnyArray], AnyArray], region: Window) -> AnyArray:
    return change(np.asarray(image[region]))


def reduced(image: Float32Array, reduce: Callable[[AnyArray], AnyArray]) -> Float32Array:
    """An image [1 (z) y x] made of all channels of an image [c (z) y x], pixel by pixel."""
    if not is_lazy(image):
        return reduce(image)
    return as_array(
        LazyPixels(
            shape=(1, *image.shape[1:]),
            dtype=np.dtype(np.float32),
            read=partial(_read_reduced, image, reduce),
            source="image",
        )
    )


def _read_reduced(image: LazyArray, reduce: Callable[[AnyArray], AnyArray], region: Window) -> AnyArray:
    return reduce(np.asarray(image[(slice(None), *region[1:])]))


def first_of(image: LazyArray) -> Float32Array:
    """The image [(z) y x] of an image [1 (z) y x]."""
    if not is_lazy(image):
        return np.asarray(image[0])
    read = partial(_read_first, image)
    return as_array(LazyPixels(shape=tuple(image.shape[1:]), dtype=image.dtype, read=read, source="image"))


def _read_first(image: LazyArray, region: Window) -> AnyArray:
    return np.asarray(image[(0, *region)])


def zeros_like(image: Float32Array) -> Float32Array:
    """Zeros of the shape of an image; of one that is not in memory, they are not either."""
    if not is_lazy(image):
        return np.zeros_like(image)
    shape = tuple(image.shape)
    return as_array(LazyPixels(shape=shape, dtype=image.dtype, read=_read_zeros, source="zeros"))


def _read_zeros(region: Window) -> AnyArray:
    return np.zeros([part.stop - part.start for part in region], np.float32)


def centre_of(image: LazyArray, side: int) -> tuple[slice, ...]:
    """The central ``side`` x ``side`` pixels along y and x, as a window of all axes."""
    starts = [max(0, (length - side) // 2) for length in image.shape[-2:]]
    inner = (slice(start, start + side) for start in starts)
    return (*(slice(None),) * (image.ndim - 2), *inner)


def padded(image: LazyArray, sides: Sequence[int]) -> Float32Array:
    """An image of ``sides`` pixels, reflected at the far ends (a single pixel is repeated), lazily."""
    return as_array(
        LazyPixels(
            shape=tuple(sides),
            dtype=image.dtype,
            read=partial(_read_padded, image),
            source=getattr(image, "source", "image"),
        )
    )


def _read_padded(image: LazyArray, region: Window) -> AnyArray:
    places = [_reflected(part, side) for part, side in zip(region, image.shape, strict=True)]
    lows = [int(place.min()) for place in places]
    box = tuple(slice(low, int(place.max()) + 1) for low, place in zip(lows, places, strict=True))
    found = np.asarray(image[box])
    return found[np.ix_(*(place - low for place, low in zip(places, lows, strict=True)))]


def _reflected(part: slice, side: int) -> npt.NDArray[np.int64]:
    """Where the pixels of a range come from, in an axis that is reflected at its end."""
    place = np.arange(part.start, part.stop)
    if side == 1:
        return np.zeros_like(place)
    place %= 2 * (side - 1)
    folded: npt.NDArray[np.int64] = np.minimum(place, 2 * (side - 1) - place)
    return folded


@attrs.frozen(kw_only=True)
class Extremes:
    """The ends of the pixels of an image.

    Attributes:
        lowest, highest: of all pixels that are finite; NaN where none is.
        at_highest: number of pixels at the highest.
        bad: number of pixels that are NaN or infinite.
        first_bad: place of the first of them; None without.
        first_value: what it is there.
    """

    lowest: float
    highest: float
    at_highest: int
    bad: int = 0
    first_bad: tuple[int, ...] | None = None
    first_value: float = 0.0


def extremes(image: LazyArray) -> Extremes:
    """Lowest and highest pixels, how many are highest, and how many are no numbers."""
    lowest, highest, at_highest, bad = np.inf, -np.inf, 0, 0
    first: tuple[int, ...] | None = None
    value = 0.0
    for region, pixels in blocks(image):
        kept = pixels
        wrong = ~np.isfinite(pixels) if pixels.dtype.kind == "f" else np.zeros((), bool)
        if count := int(np.count_nonzero(wrong)):
            if first is None:
                inside = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
                first = tuple(int(i) + part.start for i, part in zip(inside, region, strict=True))
                value = float(pixels[inside])
            bad += count
            kept = pixels[~wrong]
        if not kept.size:
            continue
        lowest, top = min(lowest, float(kept.min())), float(kept.max())
        if top > highest:
            highest, at_highest = top, 0
        if top == highest:
            at_highest += int(np.count_nonzero(kept == kept.dtype.type(top)))
    return Extremes(
        lowest=lowest, highest=highest, at_highest=at_highest, bad=bad, first_bad=first, first_value=value
    )
