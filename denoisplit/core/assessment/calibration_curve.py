"""Reliability of the predicted std: real error against predicted error, bin by bin.

Every pixel belongs to exactly one bin, that of the largest std included; empty bins stay, with count 0.
"""

from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt

from denoisplit.core.arrays import Float64Array
from denoisplit.core.errors import CalibrationError

BINS: Final = 30


@attrs.frozen(eq=False)
class CalibrationCurve:
    """Predicted and real error of the pixels of one channel, in bins of the predicted std.

    Attributes:
        edges: bin edges [bins + 1], counts; bin b has ``edges[b] <= std < edges[b + 1]``, the last is closed.
        count: number of pixels [bins].
        rmv: root mean variance (predicted error) [bins], counts; NaN in empty bins.
        rmse: root mean squared error (real error) [bins], counts; NaN in empty bins.
    """

    edges: Float64Array
    count: npt.NDArray[np.int64]
    rmv: Float64Array
    rmse: Float64Array

    @property
    def filled(self) -> npt.NDArray[np.bool_]:
        """Whether each bin has pixels [bins]."""
        return self.count > 0


def quantile_curve(
    mean: npt.NDArray[Any], std: npt.NDArray[Any], truth: npt.NDArray[Any], *, bins: int = BINS
) -> CalibrationCurve:
    """Compute the curve over bins with (nearly) the same number of pixels each.

    Args:
        mean: predicted image of one channel, any shape, counts.
        std: predicted std of the same shape, counts.
        truth: clean image of the same shape, counts.
        bins: number of bins.

    Raises:
        CalibrationError: shapes differ, no pixels, or a value is negative (std) or not finite.
    """
    spread, error = spread_and_error("calibration curve", mean, std, truth)
    return curve_over(np.quantile(spread, np.linspace(0, 1, bins + 1)), spread, error)


def expected_normalised_calibration_error(curve: CalibrationCurve) -> float:
    r"""ENCE: mean of :math:`|\mathrm{RMV} - \mathrm{RMSE}| / \mathrm{RMV}` over the bins that have pixels.

    Returns:
        0 for perfect calibration; infinite if pixels with a std of 0 are wrong.

    Source: Levi et al., Sensors 2022.
    """
    rmv, rmse = curve.rmv[curve.filled], curve.rmse[curve.filled]
    gap = np.abs(rmv - rmse)
    relative = np.divide(gap, rmv, out=np.where(gap > 0, np.inf, 0.0), where=rmv > 0)
    return float(relative.mean())


def curve_over(edges: Float64Array, spread: Float64Array, error: Float64Array) -> CalibrationCurve:
    """Compute the curve over given bins; a pixel beyond them counts in the nearest bin.

    Args:
        edges: bin edges [bins + 1], ascending, counts.
        spread: predicted std [pixels], counts.
        error: signed error [pixels], counts.
    """
    bins = len(edges) - 1
    # The clip puts the pixel with the largest std into the last bin, which is closed.
    index = np.clip(np.searchsorted(edges, spread, side="right") - 1, 0, bins - 1)
    count = np.bincount(index, minlength=bins)
    pixels = np.where(count > 0, count, np.nan)
    return CalibrationCurve(
        edges=edges,
        count=count.astype(np.int64),
        rmv=np.sqrt(np.bincount(index, spread**2, bins) / pixels),
        rmse=np.sqrt(np.bincount(index, error**2, bins) / pixels),
    )


def spread_and_error(
    where: str, mean: npt.NDArray[Any], std: npt.NDArray[Any], truth: npt.NDArray[Any]
) -> tuple[Float64Array, Float64Array]:
    """Predicted std and signed error (mean - truth) of one channel, flattened, in float64.

    Raises:
        CalibrationError: shapes differ, no pixels, or a value is negative (std) or not finite; the message
            begins with ``where``.
    """
    if not mean.shape == std.shape == truth.shape or mean.size == 0:
        raise CalibrationError(
            f"{where}: mean, std and truth must have one shape with at least one pixel (got {mean.shape}, "
            f"{std.shape} and {truth.shape}). Give the arrays of one channel."
        )
    spread = std.astype(np.float64).ravel()
    error = (mean.astype(np.float64) - truth.astype(np.float64)).ravel()
    if not (np.isfinite(spread).all() and np.isfinite(error).all() and spread.min() >= 0):
        raise CalibrationError(
            f"{where}: std must be finite and >= 0, mean and truth finite (got smallest std {spread.min()}). "
            f"Predict with at least 2 posterior samples and look for corrupt pixels."
        )
    return spread, error
