"""Checked planes in float64 of image pairs, for all image scores."""

import math
from collections.abc import Callable

import numpy as np

from denoisplit.core.arrays import AnyArray, Float64Array
from denoisplit.core.errors import ImageError

Pair = tuple[Float64Array, Float64Array]


def contrast_planes(where: str, truth: AnyArray, prediction: AnyArray, *, side: int) -> list[Pair]:
    """Return the planes [y x] of truth and prediction, without those that have no contrast in the truth.

    Args:
        where: name of the score, for messages.
        truth: clean image [(z) y x].
        prediction: image of the same shape.
        side: smallest side for which the score is defined, pixels.

    Raises:
        ImageError: shapes differ, the image is too small, a value is not finite, or the truth is constant.
    """
    if truth.shape != prediction.shape or truth.ndim not in (2, 3):
        raise ImageError(
            f"{where}: truth and prediction must both be [y x] or [z y x] of one shape (got {truth.shape} "
            f"and {prediction.shape}). Score one channel of one field at a time."
        )
    if min(truth.shape[-2:]) < side:
        raise ImageError(
            f"{where}: the image is too small (got {truth.shape[-2]} x {truth.shape[-1]} px). "
            f"Use images with sides of at least {side} px, or another score."
        )
    truth, prediction = truth.astype(np.float64), prediction.astype(np.float64)
    if not (np.isfinite(truth).all() and np.isfinite(prediction).all()):
        raise ImageError(
            f"{where}: the image has NaN or infinite pixels. Look for corrupt pixels before scoring."
        )
    pairs = zip(truth.reshape(-1, *truth.shape[-2:]), prediction.reshape(-1, *truth.shape[-2:]), strict=True)
    kept = [pair for pair in pairs if np.ptp(pair[0]) > 0]
    if not kept:
        raise ImageError(f"{where}: the truth is constant, so it has no range. Leave this field out.")
    return kept


def mean_over_planes(
    where: str,
    truth: AnyArray,
    prediction: AnyArray,
    score: Callable[[Float64Array, Float64Array, float], float],
    *,
    side: int,
) -> float:
    """Average of ``score(truth, prediction, range of the truth)``; raises as ``contrast_planes``."""
    pairs = contrast_planes(where, truth, prediction, side=side)
    return mean([score(t, p, float(np.ptp(t))) for t, p in pairs])


def mean(values: list[float]) -> float:
    """Arithmetic mean without loss of digits."""
    return math.fsum(values) / len(values)


def fitted_slope(truth: Float64Array, prediction: Float64Array) -> float:
    """Slope of the least-squares line from prediction to truth; 0 for a constant prediction."""
    if np.ptp(prediction) == 0:
        return 0.0
    centred = prediction - prediction.mean()
    return float(np.vdot(truth - truth.mean(), centred) / np.vdot(centred, centred))
