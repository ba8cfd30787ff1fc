"""Images as pictures of a page: contrast, colours, scale bar, WebP without loss in a ``data:`` URI."""

import base64
from typing import Any, Final

import imagecodecs
import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.colors import Colormap, Normalize

from denoisplit.core.arrays import AnyArray
from denoisplit.core.assessment.panels import COLOURS, middle_plane, round_length, tinted, window
from denoisplit.core.images.bases import PixelSize
from denoisplit.core.report.elements import Picture

GRAY: Final = colormaps["gray"]
HEAT: Final = colormaps["magma"]
EITHER: Final = colormaps["RdBu_r"]
"""For values on both sides of zero."""

_BAR: Final = 2
"""Height of a scale bar, pixels."""


def colours_of(channel: int) -> Colormap:
    """The colours of a channel, by its number."""
    return tinted(COLOURS[channel % len(COLOURS)])


def picture(
    image: AnyArray,
    alt: str,
    *,
    colours: Colormap = GRAY,
    contrast: Normalize | None = None,
    unit: str = "counts",
    pixel_size: PixelSize | None = None,
) -> Picture:
    """Draw an image, or the middle plane of a stack.

    Args:
        image: [(z) y x].
        alt: description for those who do not see it.
        colours: colour map.
        contrast: values of the ends of the colours; None clips a few of the darkest and brightest pixels.
        unit: unit of the values, for the small print.
        pixel_size: adds a scale bar of a round length.
    """
    plane = middle_plane(image)
    shown = window(plane) if contrast is None else contrast
    pixels = np.ascontiguousarray((colours(shown(plane))[..., :3] * 255).round().astype(np.uint8))
    bar = _bar(pixels, pixel_size)
    low, high = (f"{0.0 if end is None else end:.3g}" for end in (shown.vmin, shown.vmax))
    note = f"{low} to {high} {unit}".strip()
    height, width = plane.shape
    return Picture(
        source=_uri(pixels), alt=alt, width=width, height=height, note=f"{note}, bar {bar}" if bar else note
    )


def shared(*images: AnyArray) -> Normalize:
    """A contrast for several images [(z) y x] together."""
    return window(np.stack([middle_plane(image) for image in images]))


def from_zero(*images: AnyArray) -> Normalize:
    """A contrast that begins at zero, for several images that are not negative."""
    top = max(float(shared(image).vmax or 0) for image in images)
    return Normalize(0, top or 1.0, clip=True)


def _bar(pixels: npt.NDArray[np.uint8], pixel_size: PixelSize | None) -> str:
    """Draw a scale bar into the lower right; return its length in words, empty if the size is unknown."""
    height, width = pixels.shape[:2]
    step = None if pixel_size is None else pixel_size.size[-1]
    if pixel_size is None or step is None or min(height, width) < 8 * _BAR:
        return ""
    length = round_length(width * step / 4)
    right, bottom = width - 2 * _BAR, height - 2 * _BAR
    pixels[bottom - _BAR : bottom, max(0, right - round(length / step)) : right] = 255
    return f"{length:g} {pixel_size.unit}"


def _uri(pixels: npt.NDArray[Any]) -> str:
    encoded = bytes(imagecodecs.webp_encode(pixels, lossless=True))  # half the size of PNG
    return f"data:image/webp;base64,{base64.b64encode(encoded).decode()}"
