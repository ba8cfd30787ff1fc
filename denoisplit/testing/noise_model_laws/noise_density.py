"""The density of observations at some signals, on a grid."""

import attrs
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


@attrs.frozen(kw_only=True)
class Density:
    """The density of the observation at some signals.

    Attributes:
        signal: one image [1 c (z) y x], counts.
        steps: std of the offsets per step of the grid [n].
        offsets: observations minus signal [n pixels], counts.
        values: density [n pixels], per count.
        variance: variance that the model declares [pixels], counts squared.
    """

    signal: Tensor
    steps: Tensor
    offsets: Tensor
    values: Tensor
    variance: Tensor

    @property
    def integral(self) -> Tensor:
        """Integral over all observations [pixels]."""
        return self._moment(torch.ones_like(self.values))

    @property
    def mean(self) -> Tensor:
        """Mean observation minus signal [pixels], counts."""
        return self._moment(self.offsets) / self.integral

    @property
    def std(self) -> Tensor:
        """Standard deviation of the observation [pixels], counts."""
        return (self._moment((self.offsets - self.mean) ** 2) / self.integral).sqrt()

    @property
    def coarse(self) -> "Density":
        """Return the density on every second step: the difference shows how exact both are."""
        half = {name: getattr(self, name)[::2] for name in ("offsets", "values")}
        return attrs.evolve(self, steps=2 * self.steps[::2], **half)

    def probability_below(self, pixel: int, drawn: Tensor) -> npt.NDArray[np.float64]:
        """Return the probability of at most the observations ``drawn`` of one pixel."""
        offsets, values = self.offsets[:, pixel], self.values[:, pixel]
        steps = torch.cumulative_trapezoid(values, offsets)
        below = torch.cat([steps.new_zeros(1), steps])
        relative = drawn - self.signal.flatten()[pixel]
        found: npt.NDArray[np.float64] = np.interp(relative.numpy(), offsets.numpy(), below.numpy())
        return found

    def _moment(self, weight: Tensor) -> Tensor:
        # Sums over equal steps of a smooth function that vanishes at both ends are exact up to rounding.
        return (self.values * weight * self.steps[:, None] * self.variance.sqrt()).sum(0)
