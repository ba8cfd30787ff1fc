"""Scores of the predicted std of one channel, as that of a Gaussian around the mean."""

import math
from collections.abc import Sequence
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from denoisplit.core.assessment.calibration_curve import spread_and_error
from denoisplit.core.errors import CalibrationError

LEVELS: Final = (0.50, 0.68, 0.90, 0.95)


@attrs.frozen
class Coverage:
    """Coverage of a central interval.

    Attributes:
        level: nominal probability of the interval.
        fraction: fraction of pixels whose truth lies within it; equals ``level`` if calibrated.
    """

    level: float
    fraction: float


def half_width(level: float) -> float:
    """Half-width of the central Gaussian interval, in stds."""
    return float(ndtri((1 + level) / 2))


def coverage(
    mean: npt.NDArray[Any],
    std: npt.NDArray[Any],
    truth: npt.NDArray[Any],
    *,
    levels: Sequence[float] = LEVELS,
) -> tuple[Coverage, ...]:
    """Fraction of pixels within the central Gaussian interval of each level.

    Args:
        mean: predicted image of one channel, any shape, counts.
        std: predicted std of the same shape, counts.
        truth: clean image of the same shape, counts.
        levels: nominal probabilities, between 0 and 1.

    Raises:
        CalibrationError: shapes differ, no pixels, or a value is negative (std) or not finite.
    """
    spread, error = spread_and_error("coverage", mean, std, truth)
    distance = np.abs(error)
    return tuple(Coverage(level, float(np.mean(distance <= half_width(level) * spread))) for level in levels)


def gaussian_nll(mean: npt.NDArray[Any], std: npt.NDArray[Any], truth: npt.NDArray[Any]) -> float:
    r"""Mean of :math:`\tfrac12 (t - m)^2 / u^2 + \ln u + \tfrac12 \ln 2\pi`; arguments as ``coverage``.

    Returns:
        Nats per pixel; a change of unit adds the logarithm of the scale.

    Raises:
        CalibrationError: see ``coverage``; or a std is 0, which has no density.
    """
    spread, error = spread_and_error("Gaussian NLL", mean, std, truth)
    if spread.min() == 0:
        raise CalibrationError(
            "Gaussian NLL: a predicted std is 0, so there is no density (got smallest std 0). "
            "Predict with more posterior samples, or use a model with latent variables."
        )
    return float(np.mean(0.5 * (error / spread) ** 2 + np.log(spread)) + 0.5 * math.log(2 * math.pi))


def gaussian_crps(mean: npt.NDArray[Any], std: npt.NDArray[Any], truth: npt.NDArray[Any]) -> float:
    """Mean continuous ranked probability score of the Gaussian; arguments as ``coverage``.

    Returns:
        Counts; equals the mean absolute error where the std is 0.

    Raises:
        CalibrationError: see ``coverage``.

    Source: Gneiting & Raftery, JASA 2007, section 4.2.
    """
    spread, error = spread_and_error("CRPS", mean, std, truth)
    z = np.divide(error, spread, out=np.zeros_like(error), where=spread > 0)
    density = np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    score = spread * (z * (2 * ndtr(z) - 1) + 2 * density - 1 / math.sqrt(math.pi))
    return float(np.mean(np.where(spread > 0, score, np.abs(error))))
