"""Calibrator: a factor per channel that follows the predicted intensity."""

from typing import final

import attrs
import numpy as np
from attrs.validators import ge

from denoisplit.core.arrays import FloatArray
from denoisplit.core.network.interfaces import Calibration, MeanCalibrator
from denoisplit.plugins.calibrators.array_checks import (
    check_certain,
    check_fields,
    check_mean,
    check_squares,
    does_not_fit,
    gaussian_interval,
    squared_errors,
)
from denoisplit.plugins.calibrators.log_linear import certain_knots, fitted_heights, heights_at

_KNOT, _FACTOR = "mean_", "factor_"


@final
class Intensity(MeanCalibrator):
    r"""Multiplies the predicted std of every channel by a factor that depends on the predicted mean.

    .. math:: \sigma' = f_c(\mu)\, \sigma, \qquad \log f_c(\mu)^2 = \sum_k w_k(\mu)\, g_{ck}

    The logarithm of the factor is linear between knots, which are the means of bins of equally many pixels,
    sorted by their predicted mean; beyond the first and the last knot it is constant. So the factor is
    continuous, above zero for every image, and never outside the fitted range. Its values at the
    knots are those of maximum likelihood for Gaussian errors: with scores
    :math:`s_i = (x_i - \mu_i)^2 / \sigma_i^2` of all pixels,

    .. math:: \sum_i w_k(\mu_i)\,\bigl(s_i / f_c(\mu_i)^2 - 1\bigr) = 0 \quad\text{for every knot } k

    This is the condition of ``scale``, for the pixels around every knot instead of all of them; estimates of
    squared errors serve as well as a truth. With a single knot, it is ``scale``. Intervals are Gaussian.

    Dark background and bright structures often have errors of different size for the same std. Bins whose
    mean score is not clearly above zero are joined with their neighbours, as estimates from noisy images may
    be negative.

    Source: Laves et al., MIDL 2020; McCullagh & Nelder, Generalized Linear Models, 1989, the log link.
    """

    @attrs.frozen(kw_only=True)
    class Options:
        """Options of the calibrator.

        Attributes:
            knots: number of knots along the mean; fewer if there are under 300 pixels for each.
        """

        knots: int = attrs.field(default=8, validator=ge(2))

    options: Options

    def fit(self, mean: FloatArray, std: FloatArray, truth: FloatArray) -> Calibration:
        """Fit the factors at the knots to arrays [n c (z) y x] in counts.

        Returns:
            For every channel c, ``mean_c``: the knots, counts; ``factor_c``: the factors there.
        """
        check_fields(mean, std, truth)
        return self.fit_squares(mean, std, squared_errors(mean, truth))

    def fit_squares(self, mean: FloatArray, std: FloatArray, squares: FloatArray) -> Calibration:
        """Fit the factors at the knots to estimates of the squared errors [n c (z) y x]."""
        check_squares(std, squares)
        check_mean(mean, std)
        score = squares / std.astype(np.float64) ** 2
        check_certain("factor", score, called="mean squared score")
        parameters: dict[str, tuple[float, ...]] = {}
        for channel in range(std.shape[1]):
            seen, own = mean[:, channel].astype(np.float64).ravel(), score[:, channel].ravel()
            knots, heights = fitted_heights(seen, own, certain_knots(seen, own, self.options.knots))
            parameters[f"{_KNOT}{channel}"] = tuple(knots.tolist())
            parameters[f"{_FACTOR}{channel}"] = tuple(np.exp(heights / 2).tolist())
        return Calibration(parameters=parameters)

    def apply(self, calibration: Calibration, mean: FloatArray, std: FloatArray) -> FloatArray:
        """Calibrated std, same shape and dtype as ``std`` [n c (z) y x]."""
        channels = sum(name.startswith(_FACTOR) for name in calibration.parameters)
        if std.ndim < 3 or channels != std.shape[1]:
            raise does_not_fit(calibration, channels, std.shape)
        calibrated = np.empty_like(std)
        for channel in range(channels):
            knots, factors = (np.asarray(calibration.parameters[f"{n}{channel}"]) for n in (_KNOT, _FACTOR))
            height = heights_at(mean[:, channel].astype(np.float64), knots, 2 * np.log(factors))
            calibrated[:, channel] = np.exp(height / 2) * std[:, channel]
        return calibrated

    def interval(
        self, calibration: Calibration, mean: FloatArray, std: FloatArray, level: float
    ) -> tuple[FloatArray, FloatArray]:
        """Lower and upper bound of the central Gaussian interval of probability ``level`` (in 0 to 1)."""
        return gaussian_interval(mean, self.apply(calibration, mean, std), level)
