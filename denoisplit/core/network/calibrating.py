"""How calibrators of every sort are asked, whether they see the mean or not, and give a std or not."""

from typing import TypeGuard

from denoisplit.core.arrays import FloatArray
from denoisplit.core.network.calibration import (
    AnyCalibrator,
    Calibration,
    Calibrator,
    IntervalCalibrator,
    MeanCalibrator,
    needs_truth,
)


def gives_std(calibrator: AnyCalibrator) -> TypeGuard[Calibrator | MeanCalibrator]:
    """Whether there is a calibrated std, and not only intervals."""
    return isinstance(calibrator, Calibrator | MeanCalibrator)


def calibrated_std(
    calibrator: Calibrator | MeanCalibrator, calibration: Calibration, mean: FloatArray, std: FloatArray
) -> FloatArray:
    """Calibrated std, same shape as ``std`` [n c (z) y x], counts.

    Raises:
        CalibrationError: written by another calibrator, or for another number of channels.
    """
    if isinstance(calibrator, MeanCalibrator):
        return calibrator.apply(calibration, mean, std)
    return calibrator.apply(calibration, std)


def fit_squares(
    calibrator: AnyCalibrator, mean: FloatArray, std: FloatArray, squares: FloatArray
) -> Calibration:
    """Fit to unbiased estimates of squared errors; arrays [n c (z) y x], counts and counts squared.

    Raises:
        CalibrationError: no calibration can be had from these arrays, or from squared errors at all.
    """
    if isinstance(calibrator, Calibrator):
        return calibrator.fit_squares(std, squares)
    if isinstance(calibrator, IntervalCalibrator):
        return calibrator.fit_squares(mean, std, squares)
    raise needs_truth(calibrator)
