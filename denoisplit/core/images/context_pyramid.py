"""Lateral context: the surround of a patch at lower and lower resolution (muSplit).

Scale m has half the pixels of scale m - 1 along y and x. All patches have the same size in pixels, so a patch
at scale m shows 2^m times the width about the same centre.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import numpy as np
from scipy.ndimage import gaussian_filter

from denoisplit.core.arrays import AnyArray, Float64Array, Window
from denoisplit.core.errors import ImageError
from denoisplit.core.images.block_walks import pieces
from denoisplit.core.images.lazy import LazyArray, made

_TRUNCATE: Final = 4.0
_BAND_PIXELS: Final = 2**16
"""Pixels of a smaller image that are computed at a time: they fit into the cache."""


def pyramid(image: LazyArray, halvings: int) -> tuple[LazyArray, ...]:
    """Return the image [... y x] and ``halvings`` smaller versions, each half the one before, in its dtype.

    Raises:
        ImageError: the image is too small to be halved so often.
    """
    if min(image.shape[-2:]) < 2**halvings:
        raise ImageError(
            f"lateral context: an image cannot be halved {halvings} times (got {image.shape[-2:]}). "
            f"Use fewer low-resolution inputs, or larger images."
        )
    scales = [image]
    for _ in range(halvings):
        scales.append(_halved(scales[-1]))
    return tuple(scales)


def _halved(image: LazyArray) -> LazyArray:
    r"""Halve an image [... y x] along y and x, rounding sizes down.

    Smooth with a Gaussian of :math:`\sigma = (f - 1) / 2`, where :math:`f` is the exact ratio of sizes, then
    interpolate linearly at :math:`(i + 1/2) f - 1/2`; borders are mirrored about the outermost pixel. All in
    float64.

    Source: Ashesh et al., muSplit, ICCV 2023, code; method section 5.8.
    """
    rows, columns = image.shape[-2:]
    shape = (*image.shape[:-2], rows // 2, columns // 2)
    return made([image], partial(_read_halved, image), shape, image.dtype)


def _read_halved(image: LazyArray, region: Window) -> AnyArray:
    """Compute a window in pieces, so that intermediate images stay small however large the window."""
    found = np.empty([part.stop - part.start for part in region], image.dtype)
    for piece in pieces(found.shape, _BAND_PIXELS):
        pairs = zip(piece, region, strict=True)
        found[piece] = _band(image, tuple(slice(p.start + r.start, p.stop + r.start) for p, r in pairs))
    return found


def _band(image: LazyArray, region: Window) -> Float64Array:
    """Smooth, then interpolate linearly at the centres of the new pixels, in float64."""
    ratios = [side / (side // 2) for side in image.shape[-2:]]
    sigmas = [(ratio - 1) / 2 for ratio in ratios]
    box, places = [], []
    for part, side, ratio, sigma in zip(region[-2:], image.shape[-2:], ratios, sigmas, strict=True):
        centres = (np.arange(part.start, part.stop) + 0.5) * ratio - 0.5
        lower = np.floor(centres).astype(np.int64)
        radius = int(_TRUNCATE * sigma + 0.5)
        # The box lacks a margin only at a border of the image, where both mirror about the same pixel.
        low, high = max(0, int(lower[0]) - radius), min(side, int(lower[-1]) + 2 + radius)
        box.append(slice(low, high))
        places.append((lower - low, centres - lower))
    pixels = np.asarray(image[(*region[:-2], *box)]).astype(np.float64)
    smooth = gaussian_filter(pixels, sigmas, axes=(-2, -1), mode="mirror", truncate=_TRUNCATE)
    return _interpolated(smooth, *places)


def _interpolated(smooth: Float64Array, rows: tuple[Any, Any], columns: tuple[Any, Any]) -> Float64Array:
    """Interpolate bilinearly, in the order of operations of ``scipy.ndimage.zoom``."""
    (y, down), (x, right) = rows, columns
    total = np.zeros((*smooth.shape[:-2], y.size, x.size))
    for step_y, weight_y in ((0, 1 - down), (1, down)):
        lines = smooth.take(y + step_y, -2) * weight_y[:, None]
        for step_x, weight_x in ((0, 1 - right), (1, right)):
            total += lines.take(x + step_x, -1) * weight_x
    return total


def context_crop(image: LazyArray, corner: Sequence[int], patch: Sequence[int], scale: int) -> AnyArray:
    """Cut a patch at one scale of a pyramid.

    Args:
        image: image at this scale [... (z) y x].
        corner: first pixel of the patch at scale 0 along (z) y x; may lie outside the image.
        patch: sides along (z) y x, pixels, the same at every scale.
        scale: 0 for full resolution.

    Returns:
        [... (z) y x] of size ``patch``; the part outside the image is reflected.
    Source: method section 5.8.
    """
    return reflected_crop(image, context_start(corner, patch, scale), patch)


def context_start(corner: Sequence[int], patch: Sequence[int], scale: int) -> tuple[int, ...]:
    """Return the first pixel, at one scale of a pyramid, of the patch with this corner at scale 0."""
    start = list(corner)
    for axis in (-2, -1):
        half = patch[axis] // 2
        start[axis] = (corner[axis] + half) // 2**scale - half
    return tuple(start)


def mirrored_start(
    start: Sequence[int], patch: Sequence[int], sides: Sequence[int], axes: Sequence[int]
) -> tuple[int, ...]:
    """Return the first pixel of the same patch after an image of these sides is mirrored along some axes."""
    turned = list(start)
    for axis in axes:
        turned[axis] = sides[axis] - start[axis] - patch[axis]
    return tuple(turned)


def reflected_crop(image: LazyArray, start: Sequence[int], sides: Sequence[int]) -> AnyArray:
    """Cut a window of the last axes; the part outside the image is reflected, without repeating the edge.

    Raises:
        ImageError: the window lies completely outside the image.
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
    part: AnyArray = image[(*leading, *(slice(low, high) for low, high in zip(lows, highs, strict=True)))]
    inside = zip(start, lows, highs, sides, strict=True)
    widths = [(low - first, first + side - high) for first, low, high, side in inside]
    if not np.any(widths):
        return part
    return np.pad(part, [(0, 0)] * len(leading) + widths, mode="reflect")
