"""Where there is something to see: pixels of structures, to draw training patches about."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter

from denoisplit.core.images.interfaces import Field, FloatArray

WINDOW: Final = 5
"""Side of the window of a local mean along y and x, pixels."""
_MAD: Final = 1.4826

Mask = npt.NDArray[np.bool_]


def foreground(channel: FloatArray) -> Mask:
    r"""Pixels of one channel [(z) y x] that belong to a structure.

    Those whose mean over 5 x 5 pixels exceeds the lower quartile of all such means by more than the noise of
    one pixel, which is five standard errors of such a mean. The noise is the median absolute difference of
    neighbours along x, times :math:`1.4826 / \sqrt 2`.
    """
    pixels = channel.astype(np.float32, copy=False)
    means = uniform_filter(pixels, size=WINDOW, axes=(-2, -1), mode="reflect")
    differences = np.diff(pixels, axis=-1)
    noise = _MAD / np.sqrt(2) * float(np.median(np.abs(differences))) if differences.size else 0.0
    mask: Mask = means > np.float32(np.quantile(means, 0.25) + noise)
    return mask


class ForegroundPixels:
    """Draws foreground pixels of a channel, every one of all fields equally likely.

    Args:
        fields: to draw from; one bit is kept for every pixel of every channel.
    """

    def __init__(self, fields: Sequence[Field]) -> None:
        self._sides = tuple(field.observed.shape[1:] for field in fields)
        rows = [int(np.prod(sides[:-1], dtype=np.int64)) for sides in self._sides]
        self._field_ends = np.cumsum(rows)
        self._masks: list[list[npt.NDArray[np.uint8]]] = []
        self._row_ends: list[npt.NDArray[np.int64]] = []
        for channel in range(fields[0].observed.shape[0]):
            packed, counts = [], []
            for field in fields:
                mask = foreground(field.observed[channel]).reshape(-1, field.observed.shape[-1])
                packed.append(np.packbits(mask, axis=-1))
                counts.append(np.count_nonzero(mask, axis=-1))
            self._masks.append(packed)
            self._row_ends.append(np.cumsum(np.concatenate(counts), dtype=np.int64))

    @property
    def channels(self) -> int:
        """Number of channels."""
        return len(self._masks)

    def pixel(self, channel: int, share: float) -> tuple[int, tuple[int, ...]] | None:
        """Number of a field and a foreground pixel (z) y x in it; None for a channel without any.

        Args:
            channel: its number.
            share: 0 to 1 (exclusive), how far along all foreground pixels.
        """
        ends = self._row_ends[channel]
        number = int(share * int(ends[-1]))
        if not int(ends[-1]):
            return None
        row = int(np.searchsorted(ends, number, side="right"))
        within = number - (int(ends[row - 1]) if row else 0)
        field = int(np.searchsorted(self._field_ends, row, side="right"))
        local = row - (int(self._field_ends[field - 1]) if field else 0)
        sides = self._sides[field]
        flags = np.unpackbits(self._masks[channel][field][local], count=sides[-1])
        column = int(np.flatnonzero(flags)[within])
        return field, (*(int(i) for i in np.unravel_index(local, sides[:-1])), column)
