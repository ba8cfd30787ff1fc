"""The calibration curve of the reference."""

from typing import Any

import numpy as np
import numpy.typing as npt

from denoisplit.core.assessment.calibration_curve import BINS, CalibrationCurve, curve_over, spread_and_error


def equal_width_curve(
    mean: npt.NDArray[Any], std: npt.NDArray[Any], truth: npt.NDArray[Any], *, bins: int = BINS
) -> CalibrationCurve:
    """Curve over bins of equal width between the smallest and the largest predicted std."""
    spread, error = spread_and_error("calibration curve", mean, std, truth)
    return curve_over(np.linspace(spread.min(), spread.max(), bins + 1), spread, error)
