"""Statistics for fitting noise models: choice of pairs, their moments along the signal, quality of a fit."""

from collections.abc import Sequence

import attrs
import numpy as np
import numpy.typing as npt

from denoisplit.core.arrays import Float64Array
from denoisplit.core.errors import NoiseModelError
from denoisplit.core.network.interfaces import FitReport
from denoisplit.plugins.noise_models.pair_checks import CheckedPairs

BINS = 32
BADLY_CALIBRATED = 0.05
NOTABLE = 2.0
"""Factor between the variance of a fit and that of its pairs from which the user is warned, and"""
FAR_OFF = 10.0
"""from which the fit is refused."""
CERTAIN = 200
"""Smallest number of pairs in a bin of the signal whose variance is compared."""


@attrs.frozen
class Moments:
    """Noise in bins of the signal, one number per bin.

    Attributes:
        t: mean signal, 0 to 1 within the range of the pairs.
        variance: variance of the residuals, their unit squared.
        skewness: third central moment over the cubed std.
        count: number of pairs.
    """

    t: Float64Array
    variance: Float64Array
    skewness: Float64Array
    count: Float64Array


@attrs.frozen
class Misfit:
    """Where the variance of a noise model is farthest from that of the pairs.

    Attributes:
        factor: ratio of the two beyond what chance explains, at least 1.
        t: signal, 0 to 1 within the range of the pairs.
        model: variance of the model there, unit of the residuals squared.
        pairs: variance of the pairs there.
    """

    factor: float
    t: float
    model: float
    pairs: float

    def told(self, pairs: CheckedPairs) -> str:
        """Describe the misfit in words."""
        signal = pairs.low + self.t * (pairs.high - pairs.low)
        return (
            f"at a signal of {signal:.4g} counts the fitted variance is "
            f"{self.model:.3g} counts squared, that of the pairs {self.pairs:.3g}"
        )


def variance_misfit(moments: Moments, variance: Float64Array) -> Misfit:
    """Compare the variance of a model [bins] with the binned one, as far as that is certain."""
    # The relative error of a variance of n pairs is about sqrt(2 / n); tails make it larger.
    certain = moments.count >= min(CERTAIN, moments.count.max())
    error = 1 + 3 * np.sqrt(2 / moments.count[certain])
    ratio = variance[certain] / moments.variance[certain]
    factor = np.maximum(np.maximum(ratio, 1 / ratio) / error, 1.0)
    worst = int(np.argmax(factor))
    return Misfit(
        float(factor[worst]),
        float(moments.t[certain][worst]),
        float(variance[certain][worst]),
        float(moments.variance[certain][worst]),
    )


def doubt_variance(pairs: CheckedPairs, misfit: Misfit, advice: str) -> list[str]:
    """Return a warning where the variance of a fit differs from that of its pairs.

    Raises:
        NoiseModelError: they differ too much.
    """
    if misfit.factor > FAR_OFF:
        raise NoiseModelError(
            f"{pairs.where}: the fit failed ({misfit.told(pairs)}). {advice}, and look at the images with "
            f"denoisplit data check."
        )
    return [f"{misfit.told(pairs)}: {advice[0].lower()}{advice[1:]}"] if misfit.factor > NOTABLE else []


def choose_plain(total: int, most: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Draw indices of at most ``most`` of ``total`` pairs."""
    if total <= most:
        return np.arange(total)
    return rng.integers(0, total, most).astype(np.intp)


def choose_half_even(t: Float64Array, most: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Draw indices of ``most`` pairs, half of them spread evenly over the range of ``t``."""
    bins = np.minimum((t * BINS).astype(np.intp), BINS - 1)
    weight = 1 / np.bincount(bins, minlength=BINS)[bins]
    cumulative = np.cumsum(weight)
    even = np.searchsorted(cumulative, rng.uniform(0, cumulative[-1], most // 2)).clip(max=len(t) - 1)
    return np.concatenate([choose_plain(len(t), most - most // 2, rng), even])


def binned_moments(t: Float64Array, residual: Float64Array, resolved: float = 0.0) -> Moments:
    """Compute moments in bins of equally many pairs, and in evenly spaced ones so that bright signal counts.

    Args:
        t: mean signal, 1-D.
        residual: observation minus signal, as long.
        resolved: smallest variance that the steps of the images can resolve. Where nearly all counts are
            zero, pairs without clean images show no variance at all.
    """
    edges = np.unique(
        np.concatenate([np.quantile(t, np.linspace(0, 1, BINS // 2 + 1)), np.linspace(0, 1, BINS // 2 + 1)])
    )
    index = np.clip(np.searchsorted(edges, t, side="right") - 1, 0, len(edges) - 2)
    count = np.bincount(index, minlength=len(edges) - 1)

    def mean(values: Float64Array) -> Float64Array:
        return np.bincount(index, values, len(count)) / np.maximum(count, 1)

    centre, centred = mean(t), residual - mean(residual)[index]
    variance, third = mean(centred**2), mean(centred**3)
    good = variance > 0
    # Where the largest bins are dark and without noise, as of few photons, the others have to do.
    good &= count >= min(50, int(count.max(where=good, initial=0)))
    variance = np.maximum(variance, resolved)
    skewness = np.clip(third[good] / variance[good] ** 1.5, -3, 3)
    return Moments(centre[good], variance[good], skewness, count[good].astype(np.float64))


def calibration_error(transformed: Float64Array) -> float:
    """Return the largest distance of a probability integral transform, 1-D, from uniform, 0 to 1."""
    pit = np.sort(transformed)
    ranks = np.arange(len(pit) + 1) / len(pit)
    return float(max((ranks[1:] - pit).max(), (pit - ranks[:-1]).max()))


def fit_report(
    pairs: CheckedPairs,
    channel: int,
    nll: float,
    transformed: Float64Array,
    advice: str,
    doubts: Sequence[str] = (),
) -> FitReport:
    """Report the quality of a fit, from the probability integral transform of pairs drawn at random.

    Args:
        pairs: all pairs of the channel, with their warnings.
        channel: index of the channel.
        nll: mean negative log-likelihood, nats per pixel.
        transformed: the transform, 1-D, 0 to 1.
        advice: what to do where the noise is not well described.
        doubts: further warnings, a sentence each.
    """
    error = calibration_error(transformed)
    warnings = [*pairs.warnings, *doubts]
    if error > BADLY_CALIBRATED:
        warnings.append(f"the noise is not well described (calibration error {error:.3f}): {advice}")
    return FitReport(channel, len(pairs.signal), nll, error, tuple(warnings))


def dither(count: int, step: float, rng: np.random.Generator) -> Float64Array:
    """Draw offsets that spread digital counts over their step, as the transform of steps is never uniform."""
    return rng.uniform(-0.5, 0.5, count) * step
