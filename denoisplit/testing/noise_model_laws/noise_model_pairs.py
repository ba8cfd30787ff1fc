"""Defects of pairs of signal and observation."""

from collections.abc import Callable
from typing import Final

import attrs
import numpy as np

from denoisplit.core.network.interfaces import NoisePairs

BIAS: Final = 0.02
"""Bias of biased pairs, and its std, as a part of the range of the signals."""

Change = Callable[[NoisePairs, np.random.Generator], NoisePairs]


def _digital(pairs: NoisePairs, rng: np.random.Generator) -> NoisePairs:
    span = float(np.ptp(pairs.signal))
    noisy, step = pairs.signal + 0.02 * span * rng.normal(size=pairs.signal.size), 0.01 * span
    return attrs.evolve(pairs, observation=step * np.round(noisy / step))


def _skewed(pairs: NoisePairs, rng: np.random.Generator) -> NoisePairs:
    noise = 0.02 * float(np.ptp(pairs.signal)) * (rng.gamma(4, 0.5, pairs.signal.size) - 2)
    return attrs.evolve(pairs, observation=pairs.signal + noise)


def _biased(pairs: NoisePairs, rng: np.random.Generator) -> NoisePairs:
    noise = BIAS * float(np.ptp(pairs.signal)) * (1 + rng.normal(size=pairs.signal.size))
    return attrs.evolve(pairs, observation=pairs.signal + noise)


def _damaged(pairs: NoisePairs, rng: np.random.Generator) -> NoisePairs:
    signal, observation = pairs.signal.copy(), pairs.observation.copy()
    chosen = rng.permutation(signal.size)
    hot, one, two = chosen[: signal.size // 4000], chosen[100::100], chosen[101::100]
    signal[hot] += 40 * float(np.ptp(signal))
    observation[hot] += signal[hot] - pairs.signal[hot]
    signal[one], observation[two] = np.nan, np.inf
    return attrs.evolve(pairs, signal=signal, observation=observation)


USUAL: Final = "usual"
DAMAGED: Final = "damaged"
BIASED: Final = "biased"
CAMERAS: Final[dict[str, Change]] = {
    USUAL: lambda pairs, _: pairs,
    "digital": _digital,
    "skewed": _skewed,
    DAMAGED: _damaged,
}
"""Defects of pairs: none; noise of one size, in whole steps or skewed; hot pixels and NaN."""

OTHERS: Final[dict[str, Change]] = {BIASED: _biased}
"""Pairs of a law of their own: noise with a mean."""

EVEN: Final = ("digital", "skewed")
"""Cameras whose noise is the same at every signal."""
