"""Checks of the arrays that calibrators get, and their common errors."""

from statistics import NormalDist
from typing import Final

import numpy as np

from denoisplit.core.arrays import FloatArray
from denoisplit.core.errors import CalibrationError
from denoisplit.core.network.interfaces import Calibration

CERTAIN: Final = 2.0
"""Number of standard errors by which a mean squared error from noisy images has to exceed zero."""


def check_fields(mean: FloatArray, std: FloatArray, truth: FloatArray) -> None:
    """Refuse arrays that nothing can be fitted to.

    Raises:
        CalibrationError: shapes differ or are not [n c (z) y x], a single pixel per channel, numbers not
            finite, or std not above zero.
    """
    if mean.ndim < 3 or not mean.size or not mean.shape == std.shape == truth.shape:
        raise CalibrationError(
            f"calibration: mean, std and truth must be [n c (z) y x] of one shape (got {mean.shape}, "
            f"{std.shape}, {truth.shape}). Predict the very fields whose truth is given."
        )
    _check_several(std)
    for name, array in (("mean", mean), ("std", std), ("truth", truth)):
        _check_finite(name, array)
    _check_positive(std)


def check_squares(std: FloatArray, squares: FloatArray) -> None:
    """Refuse a std and squared errors that nothing can be fitted to.

    Raises:
        CalibrationError: see ``check_fields``.
    """
    if std.ndim < 3 or not std.size or std.shape != squares.shape:
        raise CalibrationError(
            f"calibration: std and squared errors must be [n c (z) y x] of one shape (got {std.shape}, "
            f"{squares.shape}). Predict the very fields whose errors are given."
        )
    _check_several(std)
    for name, array in (("std", std), ("squared error", squares)):
        _check_finite(name, array)
    _check_positive(std)


def check_mean(mean: FloatArray, std: FloatArray) -> None:
    """Refuse a mean that does not belong to a std.

    Raises:
        CalibrationError: shapes differ, or numbers not finite.
    """
    if mean.shape != std.shape:
        raise CalibrationError(
            f"calibration: mean and std must be [n c (z) y x] of one shape (got {mean.shape}, "
            f"{std.shape}). Predict the very fields whose errors are given."
        )
    _check_finite("mean", mean)


def squared_errors(mean: FloatArray, truth: FloatArray) -> FloatArray:
    """Squared errors in float64, of the same shape, counts squared."""
    error: FloatArray = truth.astype(np.float64) - mean
    return error**2


def no_fit(what: str, found: object) -> CalibrationError:
    """Error of a fit without a result above zero; ``what`` names the quantity that was to be fitted."""
    return CalibrationError(
        f"calibration: no {what} fits these errors (got {found}). The truth must differ from the prediction "
        f"and the std must not vanish: give the clean images of held-out fields, or more of the noisy ones."
    )


def check_certain(what: str, squares: FloatArray, *, called: str = "mean squared error") -> None:
    """Refuse estimates whose mean may as well be zero: they would calibrate to an arbitrarily small std.

    Args:
        what: name of the quantity to be fitted.
        squares: estimates [n c (z) y x] of the squared errors, in any unit; single ones may be negative.
        called: name of their mean.

    Raises:
        CalibrationError: the mean of a channel is not ``CERTAIN`` standard errors above zero.
    """
    for channel in range(squares.shape[1]):
        found = squares[:, channel].astype(np.float64)
        mean, error = float(found.mean()), float(found.std()) / found.size**0.5
        if not mean > CERTAIN * error:
            raise no_fit(what, f"{called} {mean:.3g} of channel {channel}, give or take {error:.3g}")


def does_not_fit(calibration: Calibration, channels: int, shape: tuple[int, ...]) -> CalibrationError:
    """Error of a calibration that is of another calibrator, or for other channels."""
    return CalibrationError(
        f"calibration: {calibration.component} for {channels} channels does not fit a std of shape {shape} "
        f"[n c (z) y x]. Calibrate the run again."
    )


def check_level(level: float) -> None:
    """Refuse a level that is not a probability.

    Raises:
        CalibrationError: ``level`` is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise CalibrationError(
            f"calibration: the level must be between 0 and 1 (got {level}). Use 0.9 for 90 %."
        )


def gaussian_interval(
    mean: FloatArray, calibrated: FloatArray, level: float
) -> tuple[FloatArray, FloatArray]:
    """Central interval of probability ``level`` of a Gaussian with a calibrated std.

    Raises:
        CalibrationError: ``level`` is not between 0 and 1.
    """
    check_level(level)
    half = NormalDist().inv_cdf((1 + level) / 2) * calibrated
    return mean - half, mean + half


def _check_several(std: FloatArray) -> None:
    if std[:, 0].size < 2:
        raise CalibrationError(
            "calibration: one pixel per channel does not tell how errors are distributed (got 1). "
            "Hold out larger fields, or more of them."
        )


def _check_finite(name: str, array: FloatArray) -> None:
    wrong = array[~np.isfinite(array)]
    if wrong.size:
        raise CalibrationError(
            f"calibration: the {name} is not finite at {wrong.size} of {array.size} pixels (got {wrong[0]}). "
            f"Predict with two samples or more, from images without NaN."
        )


def _check_positive(std: FloatArray) -> None:
    if not (std > 0).all():
        raise CalibrationError(
            f"calibration: the predicted std is not above zero at {(std <= 0).sum()} of {std.size} pixels "
            f"(got {float(std.min()):.4g}). Predict with more samples, and with a decoder that has latents."
        )
