"""Running mean and standard deviation of posterior samples."""

from typing import Final

import numpy as np
import torch
from torch import Tensor

from denoisplit.core.arrays import FloatArray
from denoisplit.core.devices import PROCESSOR, has_float64

_PIECE: Final = 1 << 15
"""Elements."""


class Moments:
    r"""Running mean and unbiased standard deviation, element by element, where the samples are.

    .. math:: m_n = m_{n-1} + (x_n - m_{n-1}) / n, \quad M_n = M_{n-1} + (x_n - m_{n-1})(x_n - m_n)

    Sums are kept in float64, so a camera offset far above the spread does no harm; results have the dtype of
    the samples.

    Source: Welford, Technometrics 1962.
    """

    def __init__(self) -> None:
        self._count = 0
        self._shape, self._dtype = torch.Size(), torch.float32
        self._mean = self._squares = torch.zeros(0)
        self._within: Tensor | None = None

    def add(self, sample: Tensor, variance: Tensor | None = None) -> None:
        """Add one sample, or a distribution; all samples have the same shape and device.

        Args:
            sample: the sample, or the mean of the distribution.
            variance: variance of the distribution; the std then is that of the mixture of all of them.
        """
        given = sample if has_float64(sample.device) else sample.cpu()
        if self._count == 0:
            self._shape, self._dtype = given.shape, given.dtype
            self._mean = torch.zeros(given.numel(), dtype=torch.float64, device=given.device)
            self._squares = torch.zeros_like(self._mean)
            self._within = None if variance is None else torch.zeros_like(self._mean)
        if self._within is not None and variance is not None:
            self._within += variance.reshape(-1).to(given.device)
        self._count += 1
        # On a processor, piece by piece, so that a piece and the intermediate results stay in the cache.
        size, flat = given.numel(), given.reshape(-1)
        piece = min(_PIECE, size) if given.device == PROCESSOR else size
        before, after = self._mean.new_empty(piece), self._mean.new_empty(piece)
        for start in range(0, size, piece):
            part = slice(start, start + piece)
            x, mean, squares = flat[part], self._mean[part], self._squares[part]
            first, second = before[: len(x)], after[: len(x)]
            first.copy_(x).sub_(mean)
            mean.add_(torch.div(first, self._count, out=second))
            squares.add_(second.copy_(x).sub_(mean).mul_(first))

    @property
    def mean(self) -> FloatArray:
        """Mean of the samples.

        Raises:
            ValueError: no sample was added.
        """
        if self._count == 0:
            raise ValueError("Moments: no sample was added. Add at least one.")
        found: FloatArray = self._mean.to(self._dtype).view(self._shape).cpu().numpy()
        return found

    @property
    def std(self) -> FloatArray | None:
        """Standard deviation with divisor n - 1; None for fewer than two samples, which have no spread."""
        if self._count < 2:
            return None
        both = self._squares / (self._count - 1)
        if self._within is not None:
            both += self._within / self._count
        variance = both.view(self._shape).cpu().numpy()
        # torch's square root may be off by one bit, differently on different devices.
        found: FloatArray = np.sqrt(variance).astype(torch.zeros(0, dtype=self._dtype).numpy().dtype)
        return found
