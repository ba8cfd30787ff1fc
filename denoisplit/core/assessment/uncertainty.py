"""How well the predicted spread of a channel matches its real error, before and after calibration."""

from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from denoisplit.core.assessment.calibration_curve import (
    CalibrationCurve,
    expected_normalised_calibration_error,
    quantile_curve,
)
from denoisplit.core.assessment.coverage import Coverage, coverage, gaussian_crps, gaussian_nll


@attrs.frozen(kw_only=True)
class Reliability:
    """Summary of the predicted spread of one channel.

    Attributes:
        ence: expected normalised calibration error, 0 when calibrated.
        coverage: fraction of pixels within the 68, 90 and 95 % intervals.
        nll: Gaussian negative log-likelihood, nats per pixel; None when a std is 0.
        crps: continuous ranked probability score, counts.
        rmse: root mean squared error, counts.
        rmv: root mean predicted variance, counts.
        curve: real against predicted error in quantile bins.
    """

    ence: float
    coverage: tuple[Coverage, ...]
    nll: float | None
    crps: float
    rmse: float
    rmv: float
    curve: CalibrationCurve


@attrs.frozen(kw_only=True)
class ChannelUncertainty:
    """Reliability of one channel.

    Attributes:
        channel: its name.
        before: of the std as predicted.
        after: of the calibrated std, None when there is no calibration.
    """

    channel: str
    before: Reliability
    after: Reliability | None = None


def reliability(mean: npt.NDArray[Any], std: npt.NDArray[Any], truth: npt.NDArray[Any]) -> Reliability:
    """Summarise the spread of one channel.

    Args:
        mean: predicted image, any shape, counts.
        std: predicted std of the same shape, counts.
        truth: clean image of the same shape, counts.

    Raises:
        CalibrationError: shapes differ, no pixels, or a value is negative (std) or not finite.
    """
    curve = quantile_curve(mean, std, truth)
    return Reliability(
        ence=expected_normalised_calibration_error(curve),
        coverage=coverage(mean, std, truth),
        nll=gaussian_nll(mean, std, truth) if std.min() > 0 else None,
        crps=gaussian_crps(mean, std, truth),
        rmse=_pooled(curve, curve.rmse),
        rmv=_pooled(curve, curve.rmv),
        curve=curve,
    )


def _pooled(curve: CalibrationCurve, root_mean_square: npt.NDArray[np.float64]) -> float:
    """Root mean square over all pixels from that of the bins."""
    filled = curve.filled
    return float(np.sqrt(np.average(root_mean_square[filled] ** 2, weights=curve.count[filled])))
