"""Calibrator: a monotone step function per channel."""

from typing import final

import attrs
import numpy as np
from attrs.validators import ge
from scipy.optimize import isotonic_regression

from denoisplit.core.arrays import Float64Array, FloatArray
from denoisplit.core.network.interfaces import Calibration, Calibrator
from denoisplit.plugins.calibrators.array_checks import (
    CERTAIN,
    check_fields,
    check_squares,
    does_not_fit,
    gaussian_interval,
    no_fit,
    squared_errors,
)
from denoisplit.plugins.calibrators.spread_bins import SpreadBins, fill_bins


@final
class Isotonic(Calibrator):
    """Maps the predicted std of every channel to the real error by a rising step function.

    The mean squared errors of bins of equally many pixels are made monotone by pooling adjacent violators,
    which is least squares among all monotone maps; the map is the root of the result. Every pixel counts, the
    error may rise with the std in any way, and a std outside the fitted range gets the error of the first or
    the last step. Intervals are Gaussian.

    The lowest step is wide enough for its mean squared error to exceed two standard errors: estimates from
    noisy images may be negative, and a std of nearly zero would be worse than one that is too coarse.

    Source: Barlow et al., 1972; Kuleshov, Fenner & Ermon, ICML 2018.
    """

    @attrs.frozen(kw_only=True)
    class Options:
        """Options of the calibrator.

        Attributes:
            bins: bins of the predicted std before pooling; fewer if they would hold under 20 pixels each.
        """

        bins: int = attrs.field(default=30, validator=ge(10))

    options: Options

    def fit(self, mean: FloatArray, std: FloatArray, truth: FloatArray) -> Calibration:
        """Fit steps to arrays [n c (z) y x] in counts.

        Returns:
            For every channel c, ``from_c``: smallest predicted std of every step; ``std_c``: its error.
        """
        check_fields(mean, std, truth)
        return self.fit_squares(std, squared_errors(mean, truth))

    def fit_squares(self, std: FloatArray, squares: FloatArray) -> Calibration:
        """Fit steps to estimates of the squared errors [n c (z) y x]."""
        check_squares(std, squares)
        parameters: dict[str, tuple[float, ...]] = {}
        for channel in range(std.shape[1]):
            bins = fill_bins(std[:, channel], squares[:, channel], self.options.bins)
            error = _steps(bins)
            if not error[0] > 0:
                raise no_fit("step", f"mean squared error {bins.whole_error:.4g} of channel {channel}")
            first = np.concatenate(([True], np.diff(error) > 0))
            parameters[f"from_{channel}"] = tuple(bins.lower[first].tolist())
            parameters[f"std_{channel}"] = tuple(np.sqrt(error[first]).tolist())
        return Calibration(parameters=parameters)

    def apply(self, calibration: Calibration, std: FloatArray) -> FloatArray:
        """Calibrated std, same shape and dtype as ``std`` [n c (z) y x]."""
        channels = sum(name.startswith("from_") for name in calibration.parameters)
        if std.ndim < 3 or channels != std.shape[1]:
            raise does_not_fit(calibration, channels, std.shape)
        calibrated = np.empty_like(std)
        for channel in range(channels):
            steps, errors = (np.asarray(calibration.parameters[f"{n}_{channel}"]) for n in ("from", "std"))
            given = std[:, channel]
            step = np.searchsorted(steps, given.astype(np.float64), side="right") - 1
            calibrated[:, channel] = np.where(np.isnan(given), given, errors[np.maximum(step, 0)])
        return calibrated

    def interval(
        self, calibration: Calibration, mean: FloatArray, std: FloatArray, level: float
    ) -> tuple[FloatArray, FloatArray]:
        """Lower and upper bound of the central Gaussian interval of probability ``level`` (in 0 to 1)."""
        return gaussian_interval(mean, self.apply(calibration, std), level)


def _steps(bins: SpreadBins) -> Float64Array:
    """Mean squared error of every bin, made monotone; zero if no lowest step is clearly above zero."""
    fitted = isotonic_regression(bins.error, weights=bins.count)
    error = np.asarray(fitted.x, dtype=np.float64)
    ends = np.asarray(fitted.blocks)[1:] - 1
    pixels = np.cumsum(bins.count)[ends]
    mean = np.cumsum(bins.count * bins.error)[ends] / pixels
    variance = np.cumsum(bins.count * bins.error_square)[ends] / pixels - mean**2
    certain = np.flatnonzero(mean > CERTAIN * np.sqrt(np.maximum(variance, 0) / pixels))
    if not certain.size:
        return np.zeros_like(error)
    error[: ends[certain[0]] + 1] = mean[certain[0]]
    return error
