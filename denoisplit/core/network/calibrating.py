"""Uniform calls for all types of calibrators, with or without the mean, with or without a std."""

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
    """Whether it gives a calibrated std, not only intervals."""
    return isinstance(calibrator, Calibrator | MeanCalibrator)


def calibrated_std(
    calibrator: Calibrator | MeanCalibrator, calibration: Calibration, mean: FloatArray, std: FloatArray
) -> FloatArray:
    """Calibrated std, same shape as ``std`` [n c (z) y x], counts.

    Raises:
        CalibrationError: it was written by another calibrator, or for another number of channels.
    """
    if isinstance(calibrator, MeanCalibrator):
        return calibrator.apply(calibration, mean, std)
    return calibrator.apply(calibration, std)


def fit_squares(
    calibrator: AnyCalibrator, mean: FloatArray, std: FloatArray, squares: FloatArray
) -> Calibration:
    """Fit to unbiased estimates of squared errors; arrays [n c (z) y x], counts and counts squared.

    Raises:
        CalibrationError: these arrays, or squared errors in general, do not allow a calibration.
    """
    if isinstance(calibrator, Calibrator):
        return calibrator.fit_squares(std, squares)
    if isinstance(calibrator, IntervalCalibrator):
        return calibrator.fit_squares(mean, std, squares)
    raise needs_truth(calibrator)
