"""Half an image that is not in memory, window by window: the same numbers as of the whole image at once."""

from functools import partial
from typing import Any, Final

import numpy as np
from scipy.ndimage import gaussian_filter

from denoisplit.core.arrays import AnyArray, Float32Array, Float64Array, Window
from denoisplit.core.images.bases import LazyArray
from denoisplit.core.images.lazy import LazyPixels
from denoisplit.core.images.streamed import as_array

_TRUNCATE: Final = 4.0
_BAND_PIXELS: Final = 2**20
"""Pixels of the result that are made at a time."""


def halved_lazily(image: LazyArray) -> Float32Array:
    """The image [... y x] at half the size along y and x; see ``lateral_context``."""
    rows, columns = image.shape[-2:]
    return as_array(
        LazyPixels(
            shape=(*image.shape[:-2], rows // 2, columns // 2),
            dtype=image.dtype,
            read=partial(_read, image),
            source="smaller image",
        )
    )


def _read(image: LazyArray, region: Window) -> AnyArray:
    """A window, in bands of rows, so that what is in between stays small however large the window."""
    rows, columns = region[-2:]
    shape = tuple(part.stop - part.start for part in region)
    found = np.empty(shape, image.dtype)
    step = max(1, _BAND_PIXELS // int(np.prod([*shape[:-2], shape[-1]], dtype=np.int64)))
    for start in range(rows.start, rows.stop, step):
        stop = min(start + step, rows.stop)
        band = _band(image, (*region[:-2], slice(start, stop), columns))
        found[..., start - rows.start : stop - rows.start, :] = band
    return found


def _band(image: LazyArray, region: Window) -> Float64Array:
    """Smoothed, then interpolated linearly at the centres of the new pixels, in float64."""
    ratios = [side / (side // 2) for side in image.shape[-2:]]
    sigmas = [(ratio - 1) / 2 for ratio in ratios]
    box, places = [], []
    for part, side, ratio, sigma in zip(region[-2:], image.shape[-2:], ratios, sigmas, strict=True):
        centres = (np.arange(part.start, part.stop) + 0.5) * ratio - 0.5
        lower = np.floor(centres).astype(np.int64)
        radius = int(_TRUNCATE * sigma + 0.5)
        # What is mirrored about the border of the image is mirrored about that of the box, which is the same.
        low, high = max(0, int(lower[0]) - radius), min(side, int(lower[-1]) + 2 + radius)
        box.append(slice(low, high))
        places.append((lower - low, centres - lower))
    pixels = np.asarray(image[(*region[:-2], *box)]).astype(np.float64)
    smooth = gaussian_filter(pixels, sigmas, axes=(-2, -1), mode="mirror", truncate=_TRUNCATE)
    return _interpolated(smooth, *places)


def _interpolated(smooth: Any, rows: tuple[Any, Any], columns: tuple[Any, Any]) -> Float64Array:
    """Bilinear, in the order of operations of ``scipy.ndimage.zoom``."""
    (y, down), (x, right) = rows, columns
    total: Any = 0.0
    for step_y, weight_y in ((0, 1 - down), (1, down)):
        for step_x, weight_x in ((0, 1 - right), (1, right)):
            corner = smooth[..., (y + step_y)[:, None], (x + step_x)[None]]
            total = total + corner * weight_y[:, None] * weight_x[None]
    found: Float64Array = total
    return found
