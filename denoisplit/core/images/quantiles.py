"""Quantiles of images that need not fit into memory."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from denoisplit.core.arrays import AnyArray
from denoisplit.core.images.bases import LazyArray
from denoisplit.core.images.block_walks import blocks
from denoisplit.core.images.lazy import is_lazy

_HALF_KEYS: Final = 2**16

_MOST_COUNTS: Final = 2**16
"""Integers below this, and as many negative ones, are counted one by one."""


def quantile(images: Sequence[LazyArray], level: float, *, double: bool = False) -> float:
    """Compute ``numpy.quantile`` of the pixels of all images together, exactly.

    Lazy images are read once if they hold counts of a camera, else up to three times.

    Args:
        images: finite pixels, float32; if none is lazy, of any type.
        level: level of the quantile, 0 to 1.
        double: whether to interpolate between pixels in float64 instead of in their own type.
    """
    total = sum(int(np.prod(image.shape, dtype=np.int64)) for image in images)
    virtual = (total - 1) * np.float64(level)
    rank = min(int(np.floor(virtual)), total - 1)
    ranks = (rank, min(rank + 1, total - 1))
    if any(is_lazy(image) for image in images):
        low, high = _ranked_counts(images, ranks) or _ranked(images, ranks)
    else:  # numpy.quantile, whose rounding is not the same in all versions
        together = np.concatenate([np.asarray(image).reshape(-1) for image in images])
        low, high = np.partition(together, ranks)[list(ranks)]
    share = float(virtual - rank)
    if double:
        low, high = np.float64(low), np.float64(high)
    step = high - low
    return float(high - step * (1 - share) if share >= 0.5 else low + step * share)


def _ranked_counts(images: Sequence[LazyArray], ranks: tuple[int, int]) -> list[Any] | None:
    """Return the pixels of these ranks; None if some pixels are no integers, or too large."""
    counts = np.zeros(2 * _MOST_COUNTS, np.int64)
    for image in images:
        for _, pixels in blocks(image):
            if not (pixels.min() >= -_MOST_COUNTS and pixels.max() < _MOST_COUNTS):
                return None
            numbers = pixels.reshape(-1).astype(np.int64)
            if not np.array_equal(numbers, pixels.reshape(-1)):
                return None
            counts += np.bincount(numbers + _MOST_COUNTS, minlength=counts.size)
    ends = np.cumsum(counts)
    return [np.float32(np.searchsorted(ends, rank, side="right") - _MOST_COUNTS) for rank in ranks]


def _ranked(images: Sequence[LazyArray], ranks: tuple[int, int]) -> list[Any]:
    """Return the pixels of these ranks, first by the upper, then by the lower half of their sort keys."""
    upper = np.zeros(_HALF_KEYS, np.int64)
    for image in images:
        for _, pixels in blocks(image):
            upper += np.bincount(_keys(pixels) >> 16, minlength=_HALF_KEYS)
    ends = np.cumsum(upper)
    bins = [int(np.searchsorted(ends, rank, side="right")) for rank in ranks]
    lower = {number: np.zeros(_HALF_KEYS, np.int64) for number in bins}
    for image in images:
        for _, pixels in blocks(image):
            keys = _keys(pixels)
            for number, counts in lower.items():
                inside = keys[keys >> 16 == number] & 0xFFFF
                counts += np.bincount(inside, minlength=_HALF_KEYS)
    found = []
    for rank, number in zip(ranks, bins, strict=True):
        before = int(ends[number] - upper[number])
        rest = int(np.searchsorted(np.cumsum(lower[number]), rank - before, side="right"))
        found.append(_number(number << 16 | rest))
    return found


def _keys(pixels: AnyArray) -> npt.NDArray[np.uint32]:
    """Return unsigned integers that sort like the pixels."""
    # The bits of positive floats sort like the floats, those of negative ones in reverse: these are inverted.
    bits = (np.ascontiguousarray(pixels, np.float32).reshape(-1) + np.float32(0)).view(np.uint32)
    return np.where(bits >> 31, ~bits, bits | np.uint32(2**31))


def _number(key: int) -> np.float32:
    bits = key & (2**31 - 1) if key >> 31 else ~key & 0xFFFF_FFFF
    number: np.float32 = np.array([bits], np.uint32).view(np.float32)[0]
    return number
