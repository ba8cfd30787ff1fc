"""Checks of (signal, observation) pairs before a noise model is fitted to them."""

import attrs
import numpy as np

from denoisplit.core.arrays import Float64Array, IntArray
from denoisplit.core.errors import NoiseModelError
from denoisplit.core.images.noise_pairs import smallest_step
from denoisplit.core.images.pile_up import piled_up
from denoisplit.core.network.interfaces import NoisePairs

FEWEST = 500
FEW = 20_000
RANGE_PERCENTILES = (0.05, 99.95)
"""Signals outside are a handful of pixels (hot, saturated) that would stretch the fitted range."""


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


def check(pairs: NoisePairs, where: str) -> CheckedPairs:
    """Drop non-finite pairs and those outside a robust signal range, and refuse pairs that cannot be right.

    Raises:
        NoiseModelError: mismatched, too few, constant, too narrow or swapped.
    """
    where = f"{where} ({pairs.origin})"
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
    error = float(np.sqrt(max(1 - forward * backward, 0) * covariance[1, 1] / covariance[0, 0] / len(signal)))
    flat = forward < 1 - max(0.002, 4 * error)
    slopes = f"slope of observation on signal {forward:.3f}, of signal on observation {backward:.3f}"
    if flat and covariance[0, 0] > covariance[1, 1] and 1 - forward > 1.5 * abs(1 - backward):
        raise NoiseModelError(
            f"{where}: the signal is noisier than the observation (got {slopes}; the first should be 1). "
            f"Exchange signal and observation."
        )
    if abs(1 - forward) > max(0.05, 4 * error):
        reason = "the signal is itself noisy, blurred or in other units"
        return [f"the observations do not average to the signal ({slopes}; the first should be 1): {reason}"]
    return []
