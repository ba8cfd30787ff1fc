"""Checks of (signal, observation) pairs before a noise model is fitted to them."""

from collections.abc import Iterator, Sequence

import attrs
import numpy as np

from denoisplit.core.arrays import Float64Array, IntArray
from denoisplit.core.errors import ChannelCountError, NoiseModelError
from denoisplit.core.images.noise_pairs import smallest_step
from denoisplit.core.images.pile_up import piled_up
from denoisplit.core.network.interfaces import NoisePairs

FEWEST = 500
FEW = 20_000
RANGE_PERCENTILES = (0.05, 99.95)
"""Signals outside are a handful of pixels (hot, saturated) that would stretch the fitted range."""

_CERTAIN = 5.0
"""Standard errors from which a slope is not 1. Noise that is independent and symmetric goes further below
1 with a probability under exp(-12.5), 4 in a million: a sum over the root of its sum of squares is
sub-Gaussian."""

_LEAST = 0.1
"""Smallest variance of a pixel, as a part of the mean variance."""

_SLIGHT = 0.002
"""Bias of a slope that clean references may have."""

_BIASED = 0.05
"""Bias of a slope of which the user is warned."""

_MUCH = 1.5
"""By how many times the slope of a swapped pair is farther from 1 than that of the exchanged one."""


@attrs.frozen
class CheckedPairs:
    """Usable pairs of one channel, with warnings about them.

    Attributes:
        signal: 1-D, counts, within ``low`` .. ``high``.
        observation: 1-D, counts.
        low: lower end of the signal range, counts.
        high: upper end of the signal range, counts.
        step: smallest difference of two values of the images, counts (1 for integer images).
        warnings: one sentence each.
        where: beginning of messages about them.
        place: row and column [2 pairs] in the image as the camera recorded it; None where unknown.
    """

    signal: Float64Array
    observation: Float64Array
    low: float
    high: float
    step: float
    warnings: tuple[str, ...]
    where: str
    place: IntArray | None = None

    @property
    def resolved(self) -> float:
        """Smallest variance that values with these steps can resolve, counts squared."""
        return self.step**2 / 12


def check_all(pairs: Sequence[NoisePairs], channels: int, name: str) -> Iterator[CheckedPairs]:
    """Yield the pairs of every channel, checked.

    Raises:
        ChannelCountError: there is another number of pairs than channels.
        NoiseModelError: see ``check``.
    """
    if len(pairs) != channels:
        raise ChannelCountError(
            f"noise model {name}: pairs of {len(pairs)} channels for {channels} channels. "
            f"Give one NoisePairs per channel."
        )
    for channel, one in enumerate(pairs):
        yield check(one, f"noise model of channel {channel}" if channels > 1 else "noise model")


def check(pairs: NoisePairs, where: str) -> CheckedPairs:
    """Drop non-finite pairs and those outside a robust signal range, and refuse pairs that cannot be right.

    Raises:
        NoiseModelError: mismatched, too few, constant, too narrow or swapped.
    """
    where = f"{f'noise model of {pairs.channel}' if pairs.channel else where} ({pairs.origin})"
    if pairs.signal.ndim != 1 or pairs.signal.shape != pairs.observation.shape:
        raise NoiseModelError(
            f"{where}: signal and observation must be 1-D and equally long (got shapes "
            f"{pairs.signal.shape} and "
            f"{pairs.observation.shape}). Give the observation of every signal pixel."
        )
    finite = np.isfinite(pairs.signal) & np.isfinite(pairs.observation)
    if finite.sum() < FEWEST:
        raise NoiseModelError(
            f"{where}: too few pairs (got {finite.sum()} finite ones of {finite.size}, need {FEWEST}). "
            f"Give more images."
        )
    signal = pairs.signal[finite].astype(np.float64)
    observation = pairs.observation[finite].astype(np.float64)
    low, high = np.percentile(signal, RANGE_PERCENTILES)
    kept = (signal >= low) & (signal <= high)
    signal, observation = signal[kept], observation[kept]
    noise = float((observation - signal).std())
    if low >= high or observation.min() == observation.max():
        raise NoiseModelError(
            f"{where}: constant images (signal {low:g} to {high:g}, observation {observation.min():g} to "
            f"{observation.max():g}). Give images with structure and noise."
        )
    if noise == 0:
        raise NoiseModelError(
            f"{where}: signal and observation are the same images. Give noisy images as the observation."
        )
    if high - low < 0.5 * noise:
        raise NoiseModelError(
            f"{where}: the signal covers too narrow a range (got {low:g} to {high:g} counts at noise of "
            f"{noise:g}). "
            f"Give images that show bright and dark structures, or noise_model: {{use: gaussian}}."
        )
    warnings = [*_refuse_swapped(signal, observation, where)]
    if kept.sum() < FEW:
        warnings.append(
            f"only {kept.sum()} pairs: the tails of the noise are uncertain (better {FEW} or more)"
        )
    if finite.sum() < finite.size:
        warnings.append(f"{finite.size - finite.sum()} pairs that are not finite were left out")
    if share := piled_up(observation[:: max(1, len(observation) // 100_000)]):
        warnings.append(
            f"{share:.0%} of the observations are exactly {observation.min():g}, the lowest value: a "
            f"background was cut off, and half of the noise with it, so that of dark pixels is not known"
        )
    step = max(pairs.step, smallest_step(observation))
    place = None if pairs.place is None else pairs.place[:, finite][:, kept]
    return CheckedPairs(signal, observation, float(low), float(high), step, tuple(warnings), where, place)


def _refuse_swapped(signal: Float64Array, observation: Float64Array, where: str) -> list[str]:
    """Compare the regressions in both directions: E[observation | signal] = signal only for true pairs.

    Noise in the regressor flattens a regression: with true pairs that of signal on observation, with swapped
    pairs that of observation on signal.
    """
    covariance = np.cov(signal, observation)
    forward = covariance[0, 1] / covariance[0, 0]
    backward = covariance[0, 1] / covariance[1, 1]
    chance = _deviation(signal, observation)
    slopes = f"slope of observation on signal {forward:.3f}, of signal on observation {backward:.3f}"
    flat = forward < 1 - _SLIGHT and chance < -_CERTAIN
    if flat and covariance[0, 0] > covariance[1, 1] and 1 - forward > _MUCH * abs(1 - backward):
        raise NoiseModelError(
            f"{where}: the signal is noisier than the observation (got {slopes}; the first should be 1). "
            f"Exchange signal and observation."
        )
    if abs(1 - forward) > _BIASED and abs(chance) > _CERTAIN:
        reason = "the signal is itself noisy, blurred or in other units"
        return [f"the observations do not average to the signal ({slopes}; the first should be 1): {reason}"]
    return []


def _deviation(regressor: Float64Array, other: Float64Array) -> float:
    """Return how far the slope of ``other`` on ``regressor`` is from 1, in standard errors.

    Every pixel has noise of its own: its variance is about a straight line of the regressor. In an image of a
    few bright spots these have most of the noise, so one variance for all pixels would be far too small.
    Pixels are weighted by the inverse of the line, which depends on the regressor alone.
    """
    noise = other - regressor
    squared = (noise - noise.mean()) ** 2
    slope, level = np.polyfit(regressor, squared, 1)
    line = np.maximum(slope * regressor + level, _LEAST * squared.mean())
    weight = 1 / line
    noise = noise - np.average(noise, weights=weight)
    lever = weight * (regressor - np.average(regressor, weights=weight))
    # Spots of few photons may all have none; the line does not depend on that as much as their own squares.
    variance = max(float(lever**2 @ noise**2), float(lever**2 @ line))
    return float(lever @ noise) / float(np.sqrt(variance))
