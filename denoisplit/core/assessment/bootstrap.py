"""Bootstrap over fields: how much the uncertainty scores would vary with other fields of the same kind.

Pixels of a field resemble each other, so fields, not pixels, are resampled. All scores follow from sums over
the pixels of a field; a resample adds up the sums of the fields that it drew.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt

from denoisplit.core.arrays import Float64Array
from denoisplit.core.assessment.calibration_curve import curve_over, spread_and_error
from denoisplit.core.assessment.coverage import LEVELS, coverage, gaussian_crps, gaussian_nll

RESAMPLES: Final = 1000
CONFIDENCE: Final = 0.95
MIN_FIELDS: Final = 5
"""Five fields have 126 different resamples; fewer do not resolve the tails, where an interval ends."""


FieldCover = Mapping[float, npt.NDArray[np.bool_]]
"""Masks by level, True where the truth of a channel lies within the predicted interval."""


@attrs.frozen
class Interval:
    """A percentile interval."""

    low: float
    high: float


@attrs.frozen(kw_only=True, eq=False)
class FieldSpread:
    """Prediction and truth of one channel of one field; arrays of one shape, counts.

    Attributes:
        mean: predicted image.
        std: predicted std.
        truth: clean image.
        covered: masks by level, True where the truth lies within the predicted interval; None takes the
            interval of a Gaussian.
    """

    mean: npt.NDArray[Any]
    std: npt.NDArray[Any]
    truth: npt.NDArray[Any]
    covered: FieldCover | None = None

    def fractions(self) -> dict[float, float]:
        """Fraction of pixels within the interval, by level."""
        if self.covered is None:
            return {c.level: c.fraction for c in coverage(self.mean, self.std, self.truth, levels=LEVELS)}
        return {level: float(inside.mean()) for level, inside in self.covered.items()}


@attrs.frozen(kw_only=True, eq=False)
class Bootstrap:
    """Percentile intervals over resamples of the fields.

    Attributes:
        fields: number of fields.
        resamples: number of resamples.
        confidence: confidence level of the intervals.
        intervals: one per score: ``ence``, ``nll``, ``crps``, ``sharpness``, ``rmse``, ``rmv`` and
            ``coverage_<level>``; scores that are infinite in a resample have none.
        rmse_low: lower ends in the bins of the calibration curve [bins], counts; NaN in empty bins.
        rmse_high: upper ends in these bins [bins], counts; NaN in empty bins.
    """

    fields: int
    resamples: int
    confidence: float
    intervals: Mapping[str, Interval]
    rmse_low: Float64Array
    rmse_high: Float64Array


def bootstrap(
    fields: Sequence[FieldSpread], edges: Float64Array, *, resamples: int = RESAMPLES, seed: int = 0
) -> Bootstrap | None:
    """Compute intervals of all uncertainty scores of one channel; None for fewer than ``MIN_FIELDS`` fields.

    Every resample has the bins of the calibration curve of all fields.

    Args:
        fields: one channel of every field.
        edges: bin edges of the calibration curve of all fields [bins + 1], counts.
        resamples: number of resamples.
        seed: random seed; the same seed gives the same intervals.

    Raises:
        CalibrationError: a std is negative or not finite.

    Source: Efron & Tibshirani, An Introduction to the Bootstrap, 1993, section 13.3.
    """
    if len(fields) < MIN_FIELDS:
        return None
    count = len(fields)
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=resamples)
    weights = drawn.astype(np.float64)
    pixels = np.array([field.mean.size for field in fields], dtype=np.float64)

    def mean_of(value: Callable[[FieldSpread], float]) -> Float64Array:
        """Mean over pixels from the means of the fields [resamples]."""
        means: Float64Array = weights @ (pixels * [value(field) for field in fields]) / (weights @ pixels)
        return means

    curves = [curve_over(edges, *spread_and_error("bootstrap", f.mean, f.std, f.truth)) for f in fields]
    counts = weights @ np.array([curve.count for curve in curves], dtype=np.float64)
    variance = weights @ [np.where(c.filled, c.count * c.rmv**2, 0.0) for c in curves]
    squares = weights @ [np.where(c.filled, c.count * c.rmse**2, 0.0) for c in curves]
    values = {
        "ence": _ence(counts, variance, squares),
        "crps": mean_of(lambda f: gaussian_crps(f.mean, f.std, f.truth)),
        "sharpness": mean_of(lambda f: float(f.std.mean(dtype=np.float64))),
        "rmse": np.sqrt(squares.sum(axis=1) / counts.sum(axis=1)),
        "rmv": np.sqrt(variance.sum(axis=1) / counts.sum(axis=1)),
    }
    if all(field.std.min() > 0 for field in fields):
        values["nll"] = mean_of(lambda f: gaussian_nll(f.mean, f.std, f.truth))
    fractions = [field.fractions() for field in fields]
    for level in fractions[0]:
        inside = np.array([fraction[level] for fraction in fractions])
        values[f"coverage_{level:g}"] = weights @ (pixels * inside) / (weights @ pixels)
    found = {name: _interval(value) for name, value in values.items()}
    ends = [
        _interval(np.sqrt(squares[:, b][filled] / counts[:, b][filled]))
        for b, filled in enumerate((counts > 0).T)
    ]
    return Bootstrap(
        fields=count,
        resamples=resamples,
        confidence=CONFIDENCE,
        intervals={name: interval for name, interval in found.items() if interval is not None},
        rmse_low=np.array([np.nan if end is None else end.low for end in ends]),
        rmse_high=np.array([np.nan if end is None else end.high for end in ends]),
    )


def _ence(counts: Float64Array, variance: Float64Array, squares: Float64Array) -> Float64Array:
    """Mean relative gap between RMV and RMSE over the filled bins [resamples]."""
    rmv, rmse = np.sqrt(variance), np.sqrt(squares)  # both times the root of the count, which cancels
    gap = np.abs(rmv - rmse)
    relative = np.divide(gap, rmv, out=np.where(gap > 0, np.inf, 0.0), where=rmv > 0)
    filled = counts > 0
    mean: Float64Array = np.where(filled, relative, 0.0).sum(axis=1) / filled.sum(axis=1)
    return mean


def _interval(values: Float64Array) -> Interval | None:
    if not values.size or not np.isfinite(values).all():
        return None
    low, high = np.quantile(values, ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
    return Interval(float(low), float(high))
