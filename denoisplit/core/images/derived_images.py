"""Images derived from images: windows, reordered axes, stacks, borders, changed pixels.

Arrays give an array, and a view if no pixel changes; lazy images give a lazy image.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import numpy as np

from denoisplit.core.arrays import AnyArray, IntArray, Window
from denoisplit.core.images.lazy import LazyArray, made

_SINGLE: Final = np.dtype(np.float32)


def window(image: LazyArray, place: Window) -> LazyArray:
    """Cut a window along the first axes of an image."""
    full = (*place, *(slice(None),) * (image.ndim - len(place)))
    starts, stops, _ = zip(*(p.indices(n) for p, n in zip(full, image.shape, strict=True)), strict=True)
    sides = [stop - start for start, stop in zip(starts, stops, strict=True)]
    return made([image], partial(_read_window, image, starts), sides, image.dtype)


def _read_window(image: LazyArray, starts: tuple[int, ...], asked: Window) -> AnyArray:
    moved = (slice(part.start + start, part.stop + start) for part, start in zip(asked, starts, strict=True))
    return np.asarray(image[tuple(moved)])


def centre_of(image: LazyArray, side: int) -> Window:
    """Return the window of the central ``side`` x ``side`` pixels along y and x, for all axes."""
    starts = [max(0, (length - side) // 2) for length in image.shape[-2:]]
    inner = (slice(start, start + side) for start in starts)
    return (*(slice(None),) * (image.ndim - 2), *inner)


def middle_of(image: LazyArray, channel: int, side: int) -> AnyArray:
    """Read the central ``side`` x ``side`` pixels [y x] of the middle plane of a channel."""
    planes = (length // 2 for length in image.shape[1:-2])
    return np.asarray(image[(channel, *planes, *centre_of(image, side)[-2:])])


def channel_of(image: LazyArray, channel: int) -> LazyArray:
    """Return one channel [1 ...] of an image [c ...]."""
    return window(image, (slice(channel, channel + 1),))


def first_of(image: LazyArray) -> LazyArray:
    """Return the image [(z) y x] in an image [1 (z) y x]."""
    return rearranged(image, range(1, image.ndim))


def rearranged(image: LazyArray, source: Sequence[int | None]) -> LazyArray:
    """Reorder axes: entry i names the source axis of axis i, None a new one of length 1.

    Omitted axes must have length 1.
    """
    if list(source) == list(range(image.ndim)):
        return image
    sides = [1 if axis is None else image.shape[axis] for axis in source]
    return made([image], partial(_read_rearranged, image, tuple(source)), sides, image.dtype)


def _read_rearranged(image: LazyArray, source: tuple[int | None, ...], asked: Window) -> AnyArray:
    parts = dict(zip(source, asked, strict=True))
    pixels = np.asarray(image[tuple(parts.get(axis, slice(0, 1)) for axis in range(image.ndim))])
    kept = [axis for axis in source if axis is not None]
    moved = pixels.transpose(*kept, *(axis for axis in range(image.ndim) if axis not in kept))
    return moved.reshape([part.stop - part.start for part in asked])


def stacked(images: Sequence[LazyArray]) -> LazyArray:
    """Stack images of one shape and type along a new first axis."""
    first = images[0]
    read = partial(_read_stacked, tuple(images))
    return made(images, read, (len(images), *first.shape), first.dtype)


def _read_stacked(images: tuple[LazyArray, ...], asked: Window) -> AnyArray:
    return np.stack([np.asarray(image[asked[1:]]) for image in images[asked[0]]])


def padded(image: LazyArray, sides: Sequence[int]) -> LazyArray:
    """Extend an image to ``sides`` pixels by reflection at the far ends; a single pixel is repeated."""
    return made([image], partial(_read_padded, image), sides, image.dtype)


def _read_padded(image: LazyArray, asked: Window) -> AnyArray:
    places = [_reflected(part, side) for part, side in zip(asked, image.shape, strict=True)]
    lows = [int(place.min()) for place in places]
    box = tuple(slice(low, int(place.max()) + 1) for low, place in zip(lows, places, strict=True))
    pixels = np.asarray(image[box])
    for axis, (part, side) in enumerate(zip(asked, image.shape, strict=True)):
        if part.stop > side:
            pixels = pixels.take(places[axis] - lows[axis], axis)
    return pixels


def _reflected(part: slice, side: int) -> IntArray:
    """Return the source of every pixel of a range along an axis that is reflected at its end."""
    place = np.arange(part.start, part.stop)
    if side == 1:
        return np.zeros_like(place)
    place %= 2 * (side - 1)  # there and back: the edge is not repeated
    folded: IntArray = np.minimum(place, 2 * (side - 1) - place)
    return folded


def elementwise(
    change: Callable[..., AnyArray], *images: LazyArray, dtype: np.dtype[Any] | None = None
) -> LazyArray:
    """Apply a function to the pixels of images of one shape, place by place.

    Args:
        change: function of the pixels of every image at some places, which returns the new ones there.
        images: one or more images.
        dtype: type of the result; None for that of the first image.
    """
    read = partial(_read_elementwise, change, images)
    return made(images, read, images[0].shape, dtype or images[0].dtype)


def _read_elementwise(
    change: Callable[..., AnyArray], images: tuple[LazyArray, ...], asked: Window
) -> AnyArray:
    return change(*(np.asarray(image[asked]) for image in images))


def across_channels(
    image: LazyArray, change: Callable[[AnyArray], AnyArray], *, axis: int = 0, channels: int = 0
) -> LazyArray:
    """Apply a function to all channels of an image together, place by place; the result is float32.

    Args:
        image: image with its channels along ``axis``.
        change: function of all channels at some places.
        axis: the channel axis.
        channels: number of channels that ``change`` returns; 0 for as many as it gets.
    """
    sides = list(image.shape)
    sides[axis] = channels or sides[axis]
    return made([image], partial(_read_across, image, change, axis), sides, _SINGLE)


def _read_across(
    image: LazyArray, change: Callable[[AnyArray], AnyArray], axis: int, asked: Window
) -> AnyArray:
    before, after = asked[:axis], asked[axis + 1 :]
    found = change(np.asarray(image[(*before, slice(None), *after)]))
    return found[(slice(None),) * axis + (asked[axis],)]


def zeros_like(image: LazyArray) -> LazyArray:
    """Return zeros of the shape and type of an image; none of its pixels is read."""
    return made([image], partial(_read_zeros, image.dtype), image.shape, image.dtype)


def _read_zeros(dtype: np.dtype[Any], asked: Window) -> AnyArray:
    return np.zeros([part.stop - part.start for part in asked], dtype)
