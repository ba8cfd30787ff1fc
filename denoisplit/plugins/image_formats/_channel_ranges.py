"""Ranges of display of the channels of a file, from the pixels that are written."""

import math
from typing import final

import numpy as np

from denoisplit.core.arrays import AnyArray, Window
from denoisplit.core.images.writing import Put


@final
class ChannelRanges:
    """Smallest and largest finite number of every channel, as means and stds differ by far.

    Args:
        channels: number of channels.
        axes: axes of the regions.
    """

    def __init__(self, channels: int, axes: str) -> None:
        self._channel = axes.index("c") if "c" in axes else None
        self._lowest, self._highest = np.full(channels, np.inf), np.full(channels, -np.inf)

    def watching(self, put: Put) -> Put:
        """Return ``put`` so that every region that it writes is taken into account."""

        def watched(region: Window, pixels: AnyArray) -> None:
            channels = slice(None) if self._channel is None else region[self._channel]
            others = tuple(axis for axis in range(pixels.ndim) if axis != self._channel)
            finite = np.isfinite(pixels)
            low = np.where(finite, pixels, np.inf).min(axis=others)
            high = np.where(finite, pixels, -np.inf).max(axis=others)
            self._lowest[channels] = np.minimum(self._lowest[channels], low)
            self._highest[channels] = np.maximum(self._highest[channels], high)
            put(region, pixels)

        return watched

    def bounds(self) -> list[tuple[float, float]]:
        """The range of every channel, never empty; 0 to 1 without a finite number."""
        return [
            (low, high) if low < high else (low, low + 1) if math.isfinite(low) else (0.0, 1.0)
            for low, high in zip(self._lowest.tolist(), self._highest.tolist(), strict=True)
        ]
