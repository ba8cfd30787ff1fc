"""Lateral context: what surrounds a patch, at ever lower resolution (muSplit).

Scale m has half the pixels of scale m - 1 along y and x. All patches have the same size in pixels, so that a
patch at scale m shows 2^m times the width about the same centre.
"""

from collections.abc import Sequence
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, zoom

from denoisplit.core.arrays import AnyArray
from denoisplit.core.errors import ImageError
from denoisplit.core.images.halving import halved_lazily
from denoisplit.core.images.streamed import is_lazy

Floating = TypeVar("Floating", bound=np.floating[Any])


def pyramid(image: npt.NDArray[Floating], halvings: int) -> tuple[npt.NDArray[Floating], ...]:
    """The image [... y x] and its ``halvings`` smaller versions, each made from the one before, in its dtype.

    Those of an image that is not in memory are made where they are asked for, with the same numbers.

    Raises:
        ImageError: too small to be halved so often.
    """
    if min(image.shape[-2:]) < 2**halvings:
        raise ImageError(
            f"lateral context: an image cannot be halved {halvings} times (got {image.shape[-2:]}). "
            f"Use fewer low-resolution inputs, or larger images."
        )
    scales = [image]
    for _ in range(halvings):
        scales.append(cast(Any, halved_lazily(scales[-1])) if is_lazy(scales[-1]) else _halve(scales[-1]))
    return tuple(scales)


def _halve(image: npt.NDArray[Floating]) -> npt.NDArray[Floating]:
    r"""The image [... y x] at half the size, rounded down, along y and x.

    A Gaussian of :math:`\sigma = (f - 1) / 2` with :math:`f` the exact ratio of sizes, then linear
    interpolation at :math:`(i + 1/2) f - 1/2`; borders are mirrored about the outermost pixel. In float64.

    Source: Ashesh et al., muSplit, ICCV 2023, code; method section 5.8.
    """
    rows, columns = image.shape[-2:]
    half = (rows // 2, columns // 2)
    planes = image.reshape(-1, rows, columns).astype(np.float64)
    ratios = (rows / half[0], columns / half[1])
    smooth = gaussian_filter(
        planes, [(f - 1) / 2 for f in ratios], axes=(-2, -1), mode="mirror", truncate=4.0
    )
    small = [zoom(plane, [1 / f for f in ratios], order=1, mode="mirror", grid_mode=True) for plane in smooth]
    return np.stack(small).reshape(*image.shape[:-2], *half).astype(image.dtype)


def context_crop(
    image: npt.NDArray[Any], corner: Sequence[int], patch: Sequence[int], scale: int
) -> npt.NDArray[Any]:
    """The patch at one scale of a pyramid.

    Args:
        image: that scale [... (z) y x].
        corner: first pixel of the patch at scale 0 along (z) y x; may lie outside of the image.
        patch: sides along (z) y x, pixels, the same at every scale.
        scale: 0 for full resolution.

    Returns:
        [... (z) y x] of size ``patch``; what lies outside of the image is reflected.
    Source: method section 5.8.
    """
    return reflected_crop(image, context_start(corner, patch, scale), patch)


def context_start(corner: Sequence[int], patch: Sequence[int], scale: int) -> tuple[int, ...]:
    """First pixel, at one scale of a pyramid, of the patch that has this corner at scale 0."""
    start = list(corner)
    for axis in (-2, -1):
        half = patch[axis] // 2
        start[axis] = (corner[axis] + half) // 2**scale - half
    return tuple(start)


def mirrored_start(
    start: Sequence[int], patch: Sequence[int], sides: Sequence[int], axes: Sequence[int]
) -> tuple[int, ...]:
    """First pixel of the same patch after the image, with these sides, was mirrored along some axes."""
    turned = list(start)
    for axis in axes:
        turned[axis] = sides[axis] - start[axis] - patch[axis]
    return tuple(turned)


def reflected_crop(image: AnyArray, start: Sequence[int], sides: Sequence[int]) -> AnyArray:
    """A window of the last axes of an image; the part outside reflects the part inside (edge not repeated).

    Raises:
        ImageError: the window does not meet the image.
    """
    sizes = image.shape[-len(sides) :]
    lows = [max(0, first) for first in start]
    highs = [min(size, first + side) for size, first, side in zip(sizes, start, sides, strict=True)]
    if any(low >= high for low, high in zip(lows, highs, strict=True)):
        raise ImageError(
            f"crop: the window lies outside of the image (got start {tuple(start)}, sides {tuple(sides)} in "
            f"{tuple(sizes)}). Choose a window that meets it."
        )
    leading = (slice(None),) * (image.ndim - len(sides))
    part = image[(*leading, *(slice(low, high) for low, high in zip(lows, highs, strict=True)))]
    inside = zip(start, lows, highs, sides, strict=True)
    widths = [(low - first, first + side - high) for first, low, high, side in inside]
    if not np.any(widths):
        return part
    return np.pad(part, [(0, 0)] * len(leading) + widths, mode="reflect")
