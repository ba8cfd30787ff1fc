"""What a fit may come to: plain finite numbers that can be used, or one line that says why there are none."""

import json
import re
from collections.abc import Callable

import numpy as np

from denoisplit.core.arrays import Float64Array
from denoisplit.core.errors import CalibrationError
from denoisplit.core.network.calibrating import calibrated_std
from denoisplit.core.network.interfaces import Calibration
from tests.registered import StdCalibrator

LINE = re.compile(r"^calibration: [^\n]+ \(got [^\n]+\)\. [A-Z][^\n]+\.$")
LEVELS = (0.5, 0.9)


def check_line(message: str) -> None:
    """WHERE: WHAT IS WRONG (got VALUE). WHAT TO DO."""
    assert LINE.match(message), message
    assert "nan" not in message.split("(got", maxsplit=1)[0]


def outcome(
    calibrator: StdCalibrator, fit: Callable[[], Calibration], mean: Float64Array, std: Float64Array
) -> str:
    """The message of a refusal, or nothing; a calibration has to work for the very images of the fit."""
    try:
        fitted = fit()
    except CalibrationError as error:
        check_line(str(error))
        return str(error)
    json.dumps({name: list(numbers) for name, numbers in fitted.parameters.items()}, allow_nan=False)
    calibrated = calibrated_std(calibrator, fitted, mean, std)
    assert np.isfinite(calibrated).all()
    assert calibrated.min() >= 0
    for level in LEVELS:
        try:
            low, high = calibrator.interval(fitted, mean, std, level)
        except CalibrationError as error:
            check_line(str(error))  # too few pixels for this level
            continue
        assert np.isfinite(low).all()
        assert np.isfinite(high).all()
        assert (low <= high).all()
    return ""
