"""Calibrator: a slope and an error floor per channel."""

from typing import Final, final

import attrs
import numpy as np
from attrs.validators import ge

from denoisplit.core.arrays import Float64Array, FloatArray
from denoisplit.core.network.interfaces import Calibration, Calibrator
from denoisplit.plugins.calibrators.array_checks import (
    check_certain,
    check_fields,
    check_squares,
    does_not_fit,
    gaussian_interval,
    no_fit,
    squared_errors,
)
from denoisplit.plugins.calibrators.spread_bins import SpreadBins, fill_bins

_ROUNDS: Final = 100
_CONVERGED: Final = 1e-12


@final
class Affine(Calibrator):
    r"""Multiplies the predicted std of every channel by a slope and adds an error floor.

    .. math:: \sigma' = a_c \sigma + b_c, \qquad a_c, b_c \ge 0

    such that the real error, RMSE, of bins of equally many pixels regresses on their calibrated error, RMV,
    with slope 1 and offset 0 (weighted by pixels). RMV is not linear in b within a bin, so the regression
    RMSE = a RMV + b is repeated on its own result; a few rounds suffice. Every pixel counts. A floor that
    would be negative is left out: the std is then only scaled, and stays above zero for every image. If the
    error falls with the std, the slope is 0; a constant std has no floor. Intervals are Gaussian.

    In fits to estimates of squared errors, bins with a negative mean count as bins without error.

    Source: Levi et al., Sensors 2022; method section 12.4, without its dropped bins.
    """

    @attrs.frozen(kw_only=True)
    class Options:
        """Options of the calibrator.

        Attributes:
            bins: bins of the predicted std; fewer if they would hold under 20 pixels each.
        """

        bins: int = attrs.field(default=30, validator=ge(10))

    options: Options

    def fit(self, mean: FloatArray, std: FloatArray, truth: FloatArray) -> Calibration:
        """Fit ``slope`` and ``floor`` of every channel to arrays [n c (z) y x] in counts."""
        check_fields(mean, std, truth)
        return self._of(std, squared_errors(mean, truth))

    def fit_squares(self, std: FloatArray, squares: FloatArray) -> Calibration:
        """Fit slope and floor to estimates of the squared errors [n c (z) y x]."""
        check_squares(std, squares)
        check_certain("slope", squares)
        return self._of(std, squares)

    def apply(self, calibration: Calibration, std: FloatArray) -> FloatArray:
        """Calibrated std, same shape and dtype as ``std`` [n c (z) y x]."""
        slope, floor = (calibration.parameters.get(name, ()) for name in ("slope", "floor"))
        if std.ndim < 3 or len(slope) != std.shape[1]:
            raise does_not_fit(calibration, len(slope), std.shape)
        shape = (1, -1, *[1] * (std.ndim - 2))
        a, b = (np.asarray(numbers, dtype=std.dtype).reshape(shape) for numbers in (slope, floor))
        calibrated: FloatArray = a * std + b
        return calibrated

    def interval(
        self, calibration: Calibration, mean: FloatArray, std: FloatArray, level: float
    ) -> tuple[FloatArray, FloatArray]:
        """Lower and upper bound of the central Gaussian interval of probability ``level`` (in 0 to 1)."""
        return gaussian_interval(mean, self.apply(calibration, std), level)

    def _of(self, std: FloatArray, squares: FloatArray) -> Calibration:
        """Fit to squared errors [n c (z) y x]."""
        lines = []
        for channel in range(std.shape[1]):
            bins = fill_bins(std[:, channel], squares[:, channel], self.options.bins)
            if not bins.whole_error > 0:
                raise no_fit("slope", f"mean squared error {bins.whole_error:.4g} of channel {channel}")
            lines.append(_slope_and_floor(bins))
        slopes, floors = zip(*lines, strict=True)
        return Calibration(parameters={"slope": slopes, "floor": floors})


def _slope_and_floor(bins: SpreadBins) -> tuple[float, float]:
    """Slope and floor, neither negative, for which RMSE = RMV is the regression line of the bins."""
    error, whole = np.sqrt(np.maximum(bins.error, 0)), float(np.sqrt(bins.whole_error))
    rmv = np.sqrt(bins.square)
    if len(bins.lower) == 1:
        return whole / float(rmv[0]), 0.0
    slope, floor = 1.0, 0.0
    for _ in range(_ROUNDS):
        now = np.sqrt(slope**2 * bins.square + 2 * slope * floor * bins.mean + floor**2)
        step, shift = _line(now, error, bins.count)
        slope, floor = step * slope, step * floor + shift
        if slope <= 0:
            return 0.0, whole
        if abs(step - 1) < _CONVERGED and abs(shift) < _CONVERGED * whole:
            break
    if floor < 0:
        # The best line without a floor.
        return float((bins.count * error * rmv).sum() / (bins.count * bins.square).sum()), 0.0
    return slope, floor


def _line(x: Float64Array, y: Float64Array, weight: Float64Array) -> tuple[float, float]:
    """Slope and offset of the weighted least-squares line."""
    share = weight / weight.sum()
    centre, middle = float((share * x).sum()), float((share * y).sum())
    slope = float((share * (x - centre) * (y - middle)).sum() / (share * (x - centre) ** 2).sum())
    return slope, middle - slope * centre
