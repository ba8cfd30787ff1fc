"""Small stand-ins for images that are not in memory: some of the pixels, and a picture to look at."""

import math
from typing import Final

import numpy as np

from denoisplit.core.arrays import AnyArray, Float32Array
from denoisplit.core.images.streamed import blocks, first_of, is_lazy, window

PICTURE: Final = 1024
"""Pixels a side of a picture at most."""


def thinned(image: AnyArray, count: int) -> AnyArray:
    """Every so many pixels of an image in their order, about ``count`` of them; read block by block."""
    step = max(1, math.prod(image.shape) // count)
    parts, before = [], 0
    for _, pixels in blocks(image):
        parts.append(pixels.reshape(-1)[-before % step :: step].copy())
        before += pixels.size
    return np.concatenate(parts)


def picture(image: Float32Array) -> Float32Array:
    """What to draw of an image [(z) y x]: an array itself, else every so many pixels of the middle plane."""
    if not is_lazy(image):
        return image
    middle = image.shape[0] // 2
    plane = image if image.ndim == 2 else first_of(window(image, (slice(middle, middle + 1),)))
    step = math.ceil(max(plane.shape) / PICTURE)
    found = np.empty([math.ceil(side / step) for side in plane.shape], plane.dtype)
    for region, pixels in blocks(plane):
        # The first pixels of the block that are multiples of the step.
        skipped = [-part.start % step for part in region]
        chosen = pixels[skipped[0] :: step, skipped[1] :: step]
        y, x = ((part.start + skip) // step for part, skip in zip(region, skipped, strict=True))
        found[y : y + chosen.shape[0], x : x + chosen.shape[1]] = chosen
    return found
