"""What other programs are asked about a file that a format of denoisplit has written."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np

from denoisplit.core.images.bases import Image, ImageLayout, IntensityScale, PixelSize, TimeInterval

WRITTEN: Final = Image(
    data=np.random.default_rng(0).integers(0, 250, (2, 3, 2, 9, 8)).astype(np.uint16),
    axes="tczyx",
    channel_names=("actin", "tubulin", "dna"),
    pixel_size=PixelSize((0.5, 0.25, 0.125)),
    time_interval=TimeInterval(2.5, "s"),
)


@attrs.frozen(kw_only=True)
class Reader:
    """Another program.

    Attributes:
        suffix: suffix of the file.
        image: the image to write.
        options: options of the format.
        check: function that checks the contents of the file.
    """

    suffix: str
    image: Image = WRITTEN
    options: Mapping[str, Any] = attrs.field(factory=dict)
    check: Callable[[Path, Image], None]


@attrs.frozen(kw_only=True)
class LargeFile:
    """A file of more than 4 GiB, nearly all of which is a hole.

    Attributes:
        suffix: suffix of the file.
        layout: layout of the image.
        check: function that checks the contents of the file.
    """

    suffix: str
    layout: ImageLayout
    check: Callable[[Path], None]


def assert_found(found: Any, expected: Any, what: str) -> None:
    """Check numbers or words that another program finds in a file."""
    one, two = np.asarray(found), np.asarray(expected)
    same = np.array_equal(one, two, equal_nan=one.dtype.kind == two.dtype.kind == "f")
    assert same, f"another program finds other {what}"


def drawn(
    shape: tuple[int, ...],
    axes: str,
    kind: str = "uint16",
    *,
    size: tuple[float | None, ...] = (),
    unit: str = "µm",
    scale: tuple[tuple[float, ...], tuple[float, ...]] | None = None,
    **known: Any,
) -> Image:
    """Return an image of random pixels between 0 and 999, or between 0 and 1 for real numbers."""
    rng = np.random.default_rng(shape)
    pixels = rng.random(shape) if kind.startswith("float") else rng.integers(0, 999, shape)
    return Image(
        data=pixels.astype(kind),
        axes=axes,
        pixel_size=PixelSize(size, unit) if size else None,
        intensity_scale=IntensityScale(*scale) if scale else None,
        **known,
    )


def halved(pixels: Any) -> Any:
    """Average 2 x 2 pixels; an odd last row or column is left out."""
    height, width = (side // 2 for side in pixels.shape[-2:])
    even = pixels[..., : 2 * height, : 2 * width]
    return even.reshape(*pixels.shape[:-2], height, 2, width, 2).mean((-3, -1))


def assert_means(found: Any, expected: Any) -> None:
    """Check pixels of a smaller copy: means of the larger one, rounded where they are whole numbers."""
    error = 0.5 if found.dtype.kind in "iu" else 1e-6
    assert found.shape == expected.shape, f"a smaller copy has the shape {found.shape}"
    assert np.abs(found - expected).max() <= error + 1e-9, "smaller copies are no means"
