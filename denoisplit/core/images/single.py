"""Conversion of pixels to counts in single precision, in which networks compute."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from denoisplit.core.arrays import AnyArray, Float32Array
from denoisplit.core.errors import ImageError
from denoisplit.core.images.physical import IntensityScale

_LARGEST: Final = float(np.finfo(np.float32).max)


def in_single(
    stored: AnyArray, where: str, *, scale: IntensityScale | None = None, begin: Sequence[int] = ()
) -> Float32Array:
    """Copy stored pixels as counts in float32; NaN and infinity are kept.

    Args:
        stored: pixels [c (z) y x].
        where: subject of the message.
        scale: scale of these channels; None if counts are stored.
        begin: first pixel of ``stored`` in the image, (z) y x; empty for the beginning.

    Raises:
        ImageError: a number that float32 cannot hold.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # reported below, with its place
        counts = np.array(stored, dtype=np.float32, order="C")
        if scale is not None:
            shape = (-1,) + (1,) * (stored.ndim - 1)
            counts *= np.array(scale.factor, np.float32).reshape(shape)
            counts += np.array(scale.offset, np.float32).reshape(shape)
    if scale is not None or (stored.dtype.kind == "f" and stored.dtype.itemsize > counts.dtype.itemsize):
        lost = ~np.isfinite(counts) & np.isfinite(stored)
        if lost.any():
            channel, *inside = (int(i) for i in np.unravel_index(int(np.argmax(lost)), lost.shape))
            value = float(stored[channel, *inside])
            if scale is not None:
                value = value * scale.factor[channel] + scale.offset[channel]
            place = tuple(i + start for i, start in zip(inside, begin or [0] * len(inside), strict=True))
            raise ImageError(
                f"{where}: a pixel is beyond the largest number of single precision, {_LARGEST:.2g} (got "
                f"{value:g} at {place}). Replace or crop it, or divide all images by the same number."
            )
    return counts
