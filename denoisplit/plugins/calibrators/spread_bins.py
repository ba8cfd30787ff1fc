"""Pixels of one channel, sorted into bins of their predicted std."""

from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt

from denoisplit.core.arrays import Float64Array

_FEWEST: Final = 20
"""Pixels that a bin should hold; the mean square of fewer is too uncertain."""


@attrs.frozen(kw_only=True)
class SpreadBins:
    """Non-empty bins with nearly the same number of pixels each; every pixel is in one of them.

    Attributes:
        lower: smallest std of each bin [bins], ascending; a bin reaches up to the next one.
        count: number of pixels [bins].
        mean: mean of the std [bins], counts.
        square: mean of the squared std [bins], counts squared.
        error: mean of the squared errors [bins], counts squared; estimates can be negative.
        error_square: mean of the squares of the squared errors [bins].
    """

    lower: Float64Array
    count: Float64Array
    mean: Float64Array
    square: Float64Array
    error: Float64Array
    error_square: Float64Array

    @property
    def whole_error(self) -> float:
        """Mean squared error of all pixels, counts squared."""
        return float((self.count * self.error).sum() / self.count.sum())


def fill_bins(std: npt.NDArray[Any], squares: npt.NDArray[Any], bins: int) -> SpreadBins:
    """Sort pixels into at most ``bins`` bins.

    The edges are values of the std itself, so that a monotone map of the std leaves the bins the same. Pixels
    of the same std stay together: a constant std has a single bin.
    """
    spread = std.astype(np.float64).ravel()
    number = max(1, min(bins, spread.size // _FEWEST))
    lower = np.unique(np.sort(spread)[np.arange(number) * spread.size // number])
    index = np.searchsorted(lower, spread, side="right") - 1
    count = np.bincount(index).astype(np.float64)
    errors = squares.astype(np.float64).ravel()
    return SpreadBins(
        lower=lower,
        count=count,
        mean=np.bincount(index, spread) / count,
        square=np.bincount(index, spread**2) / count,
        error=np.bincount(index, errors) / count,
        error_square=np.bincount(index, errors**2) / count,
    )
