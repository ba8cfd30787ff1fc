"""Block-by-block walks through images of any size, and what is measured on the way.

Arrays in memory are cut into the same blocks, so that results are equal to the last bit wherever the pixels
are stored.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Final

import attrs
import numpy as np

from denoisplit.core.arrays import AnyArray, Window
from denoisplit.core.images.derived_images import channel_of, first_of
from denoisplit.core.images.lazy import LazyArray, is_lazy

BLOCK_PIXELS: Final = 2**22
"""Most pixels of a block."""

PICTURE: Final = 1024
"""Most pixels a side of a picture."""


def pieces(shape: Sequence[int], most: int) -> Iterator[Window]:
    """Yield windows of at most ``most`` pixels that cover an array, in its order."""
    size = math.prod(shape)
    if size <= most or size == 1:
        yield tuple(slice(0, side) for side in shape)
        return
    axis = next(i for i, side in enumerate(shape) if side > 1)
    step = max(1, most // math.prod(shape[axis + 1 :]))
    for start in range(0, shape[axis], step):
        stop = min(start + step, shape[axis])
        for part in pieces((*shape[:axis], stop - start, *shape[axis + 1 :]), most):
            yield (*part[:axis], slice(part[axis].start + start, part[axis].stop + start), *part[axis + 1 :])


def blocks(image: LazyArray) -> Iterator[tuple[Window, AnyArray]]:
    """Yield windows that cover an image, in the order of its pixels, and their pixels."""
    for place in block_places(image.shape):
        yield place, np.asarray(image[place])


def block_places(shape: Sequence[int]) -> Iterator[Window]:
    """Yield the windows of ``blocks`` for an image of this shape."""
    return pieces(shape, BLOCK_PIXELS)


@attrs.frozen(kw_only=True)
class Extremes:
    """Lowest and highest pixels of an image, and its pixels that are not finite.

    Attributes:
        lowest, highest: lowest and highest finite pixel; infinity and minus infinity if there is none.
        at_highest: number of pixels that equal the highest.
        bad: number of pixels that are NaN or infinite.
        first_bad: place of the first of them; None if there is none.
        first_value: its value.
    """

    lowest: float
    highest: float
    at_highest: int
    bad: int = 0
    first_bad: tuple[int, ...] | None = None
    first_value: float = 0.0


def extremes(image: LazyArray) -> Extremes:
    """Find the lowest and highest pixels of an image, and its pixels that are not finite."""
    lowest, highest, at_highest, bad = np.inf, -np.inf, 0, 0
    first: tuple[int, ...] | None = None
    value = 0.0
    for place, pixels in blocks(image):
        kept = pixels
        wrong = ~np.isfinite(pixels) if pixels.dtype.kind == "f" else np.zeros((), bool)
        if count := int(np.count_nonzero(wrong)):
            if first is None:
                inside = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
                first = tuple(int(i) + part.start for i, part in zip(inside, place, strict=True))
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


def thinned(image: LazyArray, count: int) -> AnyArray:
    """Return about ``count`` evenly spaced pixels of an image in their order, read block by block."""
    step = max(1, math.prod(image.shape) // count)
    parts, before = [], 0
    for _, pixels in blocks(image):
        parts.append(pixels.reshape(-1)[-before % step :: step].copy())
        before += pixels.size
    return np.concatenate(parts)


def picture(image: LazyArray) -> AnyArray:
    """Return an image [(z) y x] for display: an array itself, a lazy image as a thinned middle plane."""
    if not is_lazy(image):
        return np.asarray(image)
    plane = image if image.ndim == 2 else first_of(channel_of(image, len(image) // 2))
    step = math.ceil(max(plane.shape) / PICTURE)
    return np.stack([plane[row, ::step] for row in range(0, plane.shape[0], step)])
