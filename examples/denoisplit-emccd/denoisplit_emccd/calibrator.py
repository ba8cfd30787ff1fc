"""Calibrator: one factor per channel, from a quantile of the errors."""

from statistics import NormalDist

import attrs
import numpy as np
from attrs.validators import ge, lt
from denoisplit.core.arrays import FloatArray
from denoisplit.core.errors import CalibrationError
from denoisplit.core.network.interfaces import Calibration, Calibrator


class Quantile(Calibrator):
    r"""Multiplies the predicted std so that a chosen part of all pixels lies within its Gaussian interval.

    .. math:: f_c = Q_p\bigl(|x - \mu| / \sigma\bigr) / z_p

    with the quantile over all pixels x of the clean truth, posterior mean and std, and :math:`z_p` the
    half-width of the central interval of probability p of a standard normal distribution. Unlike a mean
    square, a quantile is not decided by the hot pixels and cosmic rays that a camera of high gain shows.

    Source: Angelopoulos & Bates, Foundations and Trends in Machine Learning 16(4), 2023.
    """

    @attrs.frozen(kw_only=True)
    class Options:
        """Options of the calibrator.

        Attributes:
            coverage: part of the pixels that lies within its interval, 0.5 to 1.
        """

        coverage: float = attrs.field(default=0.8, validator=[ge(0.5), lt(1)])

    options: Options

    def fit(self, mean: FloatArray, std: FloatArray, truth: FloatArray) -> Calibration:
        """Factor per channel from arrays [n c (z) y x] in counts; ``{"factor": [one per channel]}``.

        Raises:
            CalibrationError: other shapes, non-finite numbers, std not above zero, or truth equal to mean.
        """
        if mean.ndim < 3 or not mean.size or not mean.shape == std.shape == truth.shape:
            raise CalibrationError(
                f"calibration: mean, std and truth must be [n c (z) y x] of one shape (got {mean.shape}, "
                f"{std.shape}, {truth.shape}). Predict the very fields whose truth is given."
            )
        usable = np.isfinite(mean) & np.isfinite(truth) & np.isfinite(std) & (std > 0)
        if not usable.all():
            raise CalibrationError(
                f"calibration: mean, std or truth is not finite, or the std not above zero, at "
                f"{int((~usable).sum())} of {usable.size} pixels. Predict more samples from finite images."
            )
        score = np.abs(truth.astype(np.float64) - mean) / std
        quantile = np.quantile(score, self.options.coverage, axis=(0, *range(2, score.ndim)))
        if not (quantile > 0).all():
            raise CalibrationError(
                f"calibration: most errors are zero (got quantiles {quantile.tolist()}). "
                f"Give the clean images of held-out fields."
            )
        factor = quantile / _half_width(self.options.coverage)
        return Calibration(parameters={"factor": tuple(factor.tolist())})

    def apply(self, calibration: Calibration, std: FloatArray) -> FloatArray:
        """Calibrated std, same shape and dtype as ``std`` [n c (z) y x].

        Raises:
            CalibrationError: written by another calibrator, or for another number of channels.
        """
        factor = calibration.parameters.get("factor", ())
        if std.ndim < 3 or len(factor) != std.shape[1]:
            raise CalibrationError(
                f"calibration: {calibration.component} with {len(factor)} factors does not fit a std of "
                f"shape {std.shape} [n c (z) y x]. Calibrate the run again."
            )
        shaped = np.asarray(factor, dtype=std.dtype).reshape(1, -1, *(1,) * (std.ndim - 2))
        calibrated: FloatArray = std * shaped
        return calibrated

    def interval(
        self, calibration: Calibration, mean: FloatArray, std: FloatArray, level: float
    ) -> tuple[FloatArray, FloatArray]:
        """Lower and upper bound of the central Gaussian interval of probability ``level`` (in 0 to 1).

        Raises:
            CalibrationError: as ``apply``, or a ``level`` out of range.
        """
        if not 0 < level < 1:
            raise CalibrationError(
                f"calibration: the level must be between 0 and 1 (got {level}). Use 0.9 for 90 %."
            )
        half = _half_width(level) * self.apply(calibration, std)
        return mean - half, mean + half


def _half_width(level: float) -> float:
    """Half of the central interval of this probability, standard normal distribution."""
    return NormalDist().inv_cdf((1 + level) / 2)
