"""Calibrator: one factor per channel."""

import attrs
import numpy as np

from denoisplit.core.arrays import FloatArray
from denoisplit.core.network.interfaces import Calibration, Calibrator
from denoisplit.plugins.calibrators.array_checks import (
    check_certain,
    check_fields,
    check_squares,
    does_not_fit,
    gaussian_interval,
    no_fit,
)


class Scale(Calibrator):
    r"""Multiplies the predicted std of every channel by one factor, the maximum-likelihood one.

    .. math:: f_c = \sqrt{\operatorname{mean}\bigl((x - \mu)^2 / \sigma^2\bigr)}

    over all pixels x of the clean truth, with posterior mean and std. Intervals are Gaussian.

    Source: Laves et al., MIDL 2020; Ashesh & Jug, denoiSplit, ECCV 2024; method section 9.
    """

    @attrs.frozen(kw_only=True)
    class Options:
        """The calibrator has no options."""

    options: Options

    def fit(self, mean: FloatArray, std: FloatArray, truth: FloatArray) -> Calibration:
        """Fit ``factor``, one per channel, to arrays [n c (z) y x] in counts."""
        check_fields(mean, std, truth)
        score = ((truth.astype(np.float64) - mean) / std.astype(np.float64)) ** 2
        return self._of(score)

    def fit_squares(self, std: FloatArray, squares: FloatArray) -> Calibration:
        """Fit a factor per channel to estimates of the squared errors [n c (z) y x]."""
        check_squares(std, squares)
        score = squares / std.astype(np.float64) ** 2
        check_certain("factor", score, called="mean squared score")
        return self._of(score)

    def apply(self, calibration: Calibration, std: FloatArray) -> FloatArray:
        """Calibrated std, same shape and dtype as ``std`` [n c (z) y x]."""
        factor = calibration.parameters.get("factor", ())
        if std.ndim < 3 or len(factor) != std.shape[1]:
            raise does_not_fit(calibration, len(factor), std.shape)
        shaped = np.asarray(factor, dtype=std.dtype).reshape(1, -1, *[1] * (std.ndim - 2))
        calibrated: FloatArray = std * shaped
        return calibrated

    def interval(
        self, calibration: Calibration, mean: FloatArray, std: FloatArray, level: float
    ) -> tuple[FloatArray, FloatArray]:
        """Lower and upper bound of the central Gaussian interval of probability ``level`` (in 0 to 1)."""
        return gaussian_interval(mean, self.apply(calibration, std), level)

    def _of(self, score: FloatArray) -> Calibration:
        """Calibrate by the root of the mean squared error in units of the std."""
        mean = score.mean(axis=(0, *range(2, score.ndim)))
        factor = np.sqrt(np.maximum(mean, 0))
        if not (np.isfinite(factor) & (factor > 0)).all():
            raise no_fit("factor", f"mean squared scores {mean.tolist()}")
        return Calibration(parameters={"factor": tuple(float(f) for f in factor)})
