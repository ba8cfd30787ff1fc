"""Counts as 16-bit integers: one factor for all channels and images of a file, 1 where they fit."""

import logging
import math
from collections.abc import Sequence
from typing import Final

import attrs
import numpy as np

from denoisplit.core.arrays import AnyArray
from denoisplit.core.errors import ImageError
from denoisplit.core.images.bases import Image, IntensityScale

_LOG = logging.getLogger("denoisplit.prediction")

DTYPES: Final = ("float32", "uint16")
"""Pixel types in which an image of counts can be saved."""

LARGEST: Final = 2**16 - 1

_FEWEST: Final = 16
"""Whole numbers that an image needs at least to be more than a few gray levels."""

_FINE: Final = 1000
"""Whole numbers that images of a smaller range get instead."""

_FINEST: Final = 30
"""Digits after the point of the finest factor, which has to be a number in single precision."""


@attrs.frozen(kw_only=True)
class WholeNumbers:
    """Counts as whole numbers: ``counts = factor * stored + offset``, rounded.

    Attributes:
        factor: 1 if the counts fit; a whole number if they are too large; 0.1, 0.01 and so on if all of them
            together span fewer than 16 counts.
        offset: 0, or a negative number if there are negative counts.
        coarse: names of channels that span fewer than 16 of the whole numbers.
    """

    factor: float
    offset: float
    coarse: tuple[str, ...] = ()

    def scale(self, channels: int) -> IntensityScale | None:
        """Return what gives the counts of this many channels back; None if the numbers are counts."""
        if (self.factor, self.offset) == (1, 0):
            return None
        return IntensityScale((self.factor,) * channels, (self.offset,) * channels)

    def of(self, pixels: AnyArray) -> AnyArray:
        """Convert counts to uint16."""
        return np.round((pixels.astype(np.float64) - self.offset) / self.factor).astype(np.uint16)

    def __str__(self) -> str:
        product = "the stored numbers" if self.factor == 1 else f"{self.factor:.12g} x the stored numbers"
        sign = f" {'-' if self.offset < 0 else '+'} {abs(self.offset):.12g}" if self.offset else ""
        step = "whole counts" if self.factor == 1 else f"multiples of {self.factor:.12g}"
        noted = "; the file says so" if self.scale(1) else ""
        return f"counts are {product}{sign}, rounded to {step}{noted}"

    @property
    def warning(self) -> str:
        """Advice on coarse images; empty if there are none."""
        if not self.coarse:
            return ""
        names = ", ".join(self.coarse)
        return f"fewer than {_FEWEST} steps for {names}. Write float32, or choose others with --output."


def as_dtype(image: Image, dtype: str) -> Image:
    """Convert an image to another pixel type.

    ``uint16`` rounds counts to whole numbers. If they are too large, negative or all too small for that, one
    factor and offset for the whole image are stored in ``intensity_scale``. A count is off by half a step at
    most.

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
    channels = 1 if channel is None else data.shape[channel]
    others = tuple(axis for axis in range(data.ndim) if axis != channel)
    lowest, highest = (np.reshape(found, -1).tolist() for found in (data.min(others), data.max(others)))
    names = image.channel_names if len(image.channel_names) == channels else ()
    whole = whole_numbers(lowest, highest, names, image.source)
    if whole.warning:
        _LOG.warning("%s", whole.warning)
    return attrs.evolve(image, data=whole.of(data), intensity_scale=whole.scale(channels))


def require_dtype(dtype: str) -> None:
    """Refuse pixel types other than ``DTYPES``.

    Raises:
        ImageError: the type is another; names those that are possible.
    """
    if dtype not in DTYPES:
        raise ImageError(f"dtype: expected {' or '.join(DTYPES)} (got {dtype!r}). Choose one of them.")


def whole_numbers(
    lowest: Sequence[float], highest: Sequence[float], names: Sequence[str], where: str
) -> WholeNumbers:
    """Choose the whole numbers for an image.

    Args:
        lowest: smallest count of every channel.
        highest: largest count of every channel.
        names: names of the channels, or none.
        where: subject of the message.

    Raises:
        ImageError: a count is not finite.
    """
    low, high = min(lowest), max(highest)
    if not np.all(np.isfinite([*lowest, *highest])):
        raise ImageError(f"{where}: uint16 has no NaN or infinite values (got some). Save as float32.")
    factor = _factor(low, high)
    offset = _offset(low, factor)
    if high - offset >= factor * (LARGEST + 0.5):  # the offset took the last step
        factor += 1
        offset = _offset(low, factor)
    spans = zip(names, lowest, highest, strict=True) if names else ()
    coarse = tuple(name for name, least, most in spans if 0 < most - least < _FEWEST * factor)
    return WholeNumbers(factor=factor, offset=offset, coarse=coarse)


def _factor(low: float, high: float) -> float:
    span = max(high, 0.0) - min(low, 0.0)
    if span >= LARGEST + 0.5:
        return float(math.ceil(span / LARGEST))
    if not 0 < span < _FEWEST:
        return 1.0
    return 10.0 ** -min(_FINEST, math.ceil(math.log10(_FINE) - math.log10(span)))


def _offset(low: float, factor: float) -> float:
    """Return the whole multiple of the factor that leaves no negative numbers."""
    return 0.0 if low >= -factor / 2 else math.floor(low / factor) * factor
