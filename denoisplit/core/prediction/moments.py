"""Mean and standard deviation of posterior samples that come one at a time."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

_PIECE: Final = 1 << 15
"""Elements."""

Array = npt.NDArray[np.floating[Any]]


class Moments:
    r"""Running mean and unbiased standard deviation, element by element.

    .. math:: m_n = m_{n-1} + (x_n - m_{n-1}) / n, \quad M_n = M_{n-1} + (x_n - m_{n-1})(x_n - m_n)

    Sums are kept in float64, so a camera offset far above the spread does no harm; results have the dtype of
    the samples.

    Source: Welford, Technometrics 1962.
    """

    def __init__(self) -> None:
        self._count = 0
        self._shape: tuple[int, ...] = ()
        self._mean: npt.NDArray[np.float64] = np.zeros(0)
        self._squares: npt.NDArray[np.float64] = np.zeros(0)
        self._dtype: np.dtype[np.floating[Any]] = np.dtype(np.float32)

    def add(self, sample: Array) -> None:
        """Take in one sample; all samples have the same shape."""
        if self._count == 0:
            self._mean, self._squares = np.zeros(sample.size), np.zeros(sample.size)
            self._shape, self._dtype = sample.shape, sample.dtype
        self._count += 1
        flat = np.ascontiguousarray(sample).reshape(-1)
        # In pieces that stay in the cache, with what a step needs in between.
        before, after = np.empty(min(_PIECE, flat.size)), np.empty(min(_PIECE, flat.size))
        for start in range(0, flat.size, _PIECE):
            part = slice(start, start + _PIECE)
            x, mean, squares = flat[part], self._mean[part], self._squares[part]
            first, second = before[: x.size], after[: x.size]
            np.subtract(x, mean, out=first)
            np.divide(first, self._count, out=second)
            mean += second
            np.subtract(x, mean, out=second)
            second *= first
            squares += second

    @property
    def mean(self) -> Array:
        """Mean of the samples.

        Raises:
            ValueError: no sample was added.
        """
        if self._count == 0:
            raise ValueError("Moments: there is no mean of no samples. Add at least one.")
        return self._mean.astype(self._dtype).reshape(self._shape)

    @property
    def std(self) -> Array | None:
        """Standard deviation with divisor n - 1; None for fewer than two samples, which have no spread."""
        if self._count < 2:
            return None
        return np.sqrt(self._squares / (self._count - 1)).astype(self._dtype).reshape(self._shape)
