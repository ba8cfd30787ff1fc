"""Counts as 16-bit integers, with the scale that restores them."""

from collections.abc import Sequence
from typing import Final

import attrs
import numpy as np

from denoisplit.core.arrays import AnyArray
from denoisplit.core.errors import ImageError
from denoisplit.core.images.bases import Image, IntensityScale

DTYPES: Final = ("float32", "uint16")
"""Pixel types in which an image of counts can be saved."""

LARGEST: Final = 2**16 - 1


def as_dtype(image: Image, dtype: str) -> Image:
    """Convert an image to another pixel type.

    ``uint16`` stretches every channel over 0 to 65535 and stores the scale in ``intensity_scale``; a count is
    off by half a step at most, the 131070th part of the range of its channel.

    Args:
        image: image in counts.
        dtype: ``float32`` or ``uint16``.

    Raises:
        ImageError: another type, or values that are not finite.
    """
    require_dtype(dtype)
    data = np.asarray(image.data)
    if dtype == "float32":
        return attrs.evolve(image, data=data.astype(np.float32, copy=False))
    channel = image.axes.index("c") if "c" in image.axes else None
    parts = (
        [data] if channel is None else [np.take(data, i, axis=channel) for i in range(data.shape[channel])]
    )
    scale = scale_of([float(p.min()) for p in parts], [float(p.max()) for p in parts], image.source)
    whole = [
        stretched(part, low, step) for part, low, step in zip(parts, scale.offset, scale.factor, strict=True)
    ]
    return attrs.evolve(
        image,
        data=whole[0] if channel is None else np.stack(whole, axis=channel),
        intensity_scale=scale,
    )


def require_dtype(dtype: str) -> None:
    """Refuse pixel types other than ``DTYPES``.

    Raises:
        ImageError: the type is another; names those that are possible.
    """
    if dtype not in DTYPES:
        raise ImageError(f"dtype: expected {' or '.join(DTYPES)} (got {dtype!r}). Choose one of them.")


def scale_of(lowest: Sequence[float], highest: Sequence[float], where: str) -> IntensityScale:
    """Return the scale of channels with these lowest and highest counts as uint16.

    Raises:
        ImageError: a count is not finite.
    """
    steps = [(high - low) / LARGEST or 1.0 for low, high in zip(lowest, highest, strict=True)]
    if not np.all(np.isfinite([*lowest, *steps])):
        raise ImageError(f"{where}: uint16 has no NaN or infinite values (got some). Save as float32.")
    return IntensityScale(tuple(steps), tuple(lowest))


def stretched(pixels: AnyArray, low: float | AnyArray, step: float | AnyArray) -> AnyArray:
    """Convert counts to uint16; ``low`` and ``step`` are those of the channel, or fit the pixels' shape."""
    return np.round((pixels.astype(np.float64) - low) / step).astype(np.uint16)
