"""Foreground pixels, which belong to structures: training patches are drawn around them."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter

from denoisplit.core.arrays import Float32Array
from denoisplit.core.images.bases import Field
from denoisplit.core.images.derived_images import channel_of, first_of
from denoisplit.core.images.lazy import LazyArray, is_lazy

WINDOW: Final = 5
"""Side of the window of a local mean along y and x, pixels."""
_MAD: Final = 1.4826

SAMPLE_SIDE: Final = 256
SAMPLES: Final = 256
"""Side in pixels, and number, of the blocks that are read of a field that is not in memory."""

Mask = npt.NDArray[np.bool_]


def foreground(channel: Float32Array) -> Mask:
    r"""Find the pixels of one channel [(z) y x] that belong to a structure.

    Their mean over 5 x 5 pixels exceeds the lower quartile of all such means by more than the noise of one
    pixel, which is five standard errors of such a mean. The noise is the median absolute difference of
    neighbours along x, times :math:`1.4826 / \sqrt 2`.
    """
    pixels = channel.astype(np.float32, copy=False)
    mask: Mask = _local_means(pixels) > _threshold([pixels])
    return mask


def _local_means(pixels: Float32Array) -> Float32Array:
    means: Float32Array = uniform_filter(pixels, size=WINDOW, axes=(-2, -1), mode="reflect")
    return means


def _threshold(parts: Sequence[Float32Array]) -> np.float32:
    """Return the threshold of local means; higher ones belong to structures."""
    means = np.concatenate([_local_means(part).ravel() for part in parts])
    differences = np.concatenate([np.diff(part, axis=-1).ravel() for part in parts])
    noise = _MAD / np.sqrt(2) * float(np.median(np.abs(differences))) if differences.size else 0.0
    return np.float32(np.quantile(means, 0.25) + noise)


class ForegroundPixels:
    """Foreground pixels of all fields by channel, to be drawn with equal probability.

    In fields that are not in memory, a sample of blocks stands for the whole.

    Args:
        fields: fields to draw from; one bit is kept for every examined pixel of every channel.
    """

    def __init__(self, fields: Sequence[Field]) -> None:
        self._masks = [
            [_mask_of(field.observed, channel) for field in fields]
            for channel in range(fields[0].observed.shape[0])
        ]
        self._ends = [np.cumsum([mask.count for mask in masks], dtype=np.int64) for masks in self._masks]

    def pixel(self, channel: int, share: float) -> tuple[int, tuple[int, ...]] | None:
        """Return the number of a field and a foreground pixel (z) y x in it; None if the channel has none.

        Args:
            channel: index of the channel.
            share: position among all foreground pixels, from 0 to 1 (exclusive).
        """
        ends = self._ends[channel]
        number = int(share * int(ends[-1]))
        if not int(ends[-1]):
            return None
        field = int(np.searchsorted(ends, number, side="right"))
        within = number - (int(ends[field - 1]) if field else 0)
        return field, self._masks[channel][field].pixel(within)


class _Rows:
    """Foreground of a whole image [(z) y x], row by row."""

    def __init__(self, mask: Mask) -> None:
        self._sides = mask.shape
        rows = mask.reshape(-1, mask.shape[-1])
        self._packed = np.packbits(rows, axis=-1)
        self._ends = np.cumsum(np.count_nonzero(rows, axis=-1), dtype=np.int64)
        self.count = int(self._ends[-1])

    def pixel(self, number: int) -> tuple[int, ...]:
        """Return the place of one foreground pixel."""
        row = int(np.searchsorted(self._ends, number, side="right"))
        within = number - (int(self._ends[row - 1]) if row else 0)
        column = int(np.flatnonzero(np.unpackbits(self._packed[row], count=self._sides[-1]))[within])
        return (*(int(i) for i in np.unravel_index(row, self._sides[:-1])), column)


class _Sample:
    """Foreground of a sample of blocks of an image [(z) y x], which stands for the whole."""

    def __init__(self, image: LazyArray) -> None:
        corners, self._every = _sampled_corners(image.shape)
        windows = [
            tuple(slice(c, c + side) for c, side in zip(at, _sides(image.shape), strict=True))
            for at in corners
        ]
        parts = [np.asarray(image[window]) for window in windows]
        threshold = _threshold(parts)
        self._corners = corners
        self._masks = [_Rows(_local_means(part) > threshold) for part in parts]
        self._ends = np.cumsum([mask.count for mask in self._masks], dtype=np.int64)
        self.count = int(self._ends[-1]) * self._every

    def pixel(self, number: int) -> tuple[int, ...]:
        """Return the place of one foreground pixel of the sample."""
        number //= self._every
        block = int(np.searchsorted(self._ends, number, side="right"))
        inside = self._masks[block].pixel(number - (int(self._ends[block - 1]) if block else 0))
        return tuple(i + corner for i, corner in zip(inside, self._corners[block], strict=True))


def _mask_of(observed: LazyArray, channel: int) -> _Rows | _Sample:
    image = first_of(channel_of(observed, channel))
    return _Sample(image) if is_lazy(image) else _Rows(foreground(np.asarray(image)))


def _sides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the sides of a block: a square in one plane."""
    return (*(1 for _ in shape[:-2]), *(min(SAMPLE_SIDE, side) for side in shape[-2:]))


def _sampled_corners(shape: tuple[int, ...]) -> tuple[list[tuple[int, ...]], int]:
    """Return the corners of up to ``SAMPLES`` blocks, always the same, and the number each stands for."""
    grid = [max(1, length // side) for length, side in zip(shape, _sides(shape), strict=True)]
    count = int(np.prod(grid, dtype=np.int64))
    chosen = np.random.default_rng(0).permutation(count)[:SAMPLES]
    places = (np.unravel_index(int(number), grid) for number in np.sort(chosen))
    corners = [tuple(int(i) * s for i, s in zip(at, _sides(shape), strict=True)) for at in places]
    return corners, max(1, count // len(corners))
