"""The abstract base of calibrators, and what a fitted one is stored as."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from denoisplit.core.errors import CalibrationError

FloatArray = npt.NDArray[np.floating[Any]]
Numbers = Mapping[str, Sequence[float]]


@attrs.frozen
class Calibration:
    """A fitted calibrator as plain numbers, ready for JSON.

    Attributes:
        component: ``package/name`` of the calibrator that wrote it.
        parameters: named lists of numbers, for example one factor per channel.
        origin: what it was fitted to, for messages.
    """

    component: str
    parameters: Numbers
    origin: str = "clean references"


class Calibrator(ABC):
    """Map from predicted spread to real error, learned on held-out fields.

    Constructor: ``__init__(self, options)``. Arrays are [n c (z) y x] in counts; every pixel counts, none is
    dropped.
    """

    @abstractmethod
    def fit(self, mean: FloatArray, std: FloatArray, truth: FloatArray) -> Calibration:
        """Fit to posterior mean and std against the clean truth.

        Raises:
            CalibrationError: no calibration can be had from these arrays (for example, zero spread).
        """

    def fit_squares(self, std: FloatArray, squares: FloatArray) -> Calibration:
        """Fit to unbiased estimates of the squared errors, of which single ones may be negative.

        Raises:
            CalibrationError: as ``fit``, or this calibrator needs the errors themselves (the default).
        """
        del std, squares
        raise CalibrationError(
            f"calibration: {type(self).__name__} needs clean references (got errors of noisy images). "
            f"Use another calibrator, such as scale, or give clean images of held-out fields."
        )

    @abstractmethod
    def apply(self, calibration: Calibration, std: FloatArray) -> FloatArray:
        """Calibrated std, same shape as ``std``."""

    @abstractmethod
    def interval(
        self, calibration: Calibration, mean: FloatArray, std: FloatArray, level: float
    ) -> tuple[FloatArray, FloatArray]:
        """Lower and upper bound of the central interval that covers the truth with probability ``level``."""
