"""Pairs that were exchanged are found; true ones are not taken for such, however few the bright spots are."""

from itertools import product

import numpy as np
import pytest

from denoisplit.core.arrays import Float64Array
from denoisplit.core.errors import NoiseModelError
from denoisplit.core.network.interfaces import NoisePairs
from denoisplit.plugins.noise_models.pair_checks import check

TRIALS = 40


def spots(rng: np.random.Generator, pixels: int, share: float, height: float, ground: float) -> Float64Array:
    """A dark image with spots whose heights vary by orders of magnitude."""
    signal = np.full(pixels, ground)
    count = int(share * pixels)
    signal[rng.choice(pixels, count, replace=False)] += height * (rng.pareto(1.5, count) + 0.2)
    return signal


def refused(signal: Float64Array, observation: Float64Array) -> bool:
    try:
        warnings = check(NoisePairs(signal, observation), "noise model").warnings
    except NoiseModelError as error:
        return "Exchange signal and observation" in str(error)
    assert not any("do not average to the signal" in warning for warning in warnings)
    return False


def test_true_pairs_of_small_images_with_bright_spots_are_never_taken_for_exchanged_ones() -> None:
    # With one variance for all pixels, up to a quarter of these images were refused.
    rng = np.random.default_rng(0)
    kinds = product((600, 4096), (0.01, 0.1), ((3.0, 0.1), (30.0, 1.0), (300.0, 10.0)))
    for pixels, share, (height, ground) in kinds:
        for _ in range(TRIALS):
            signal = spots(rng, pixels, share, height, ground)
            assert not refused(signal, rng.poisson(signal).astype(np.float64))


@pytest.mark.parametrize("gain", [1.0, 4.0])
def test_exchanged_pairs_of_such_images_are_found(gain: float) -> None:
    rng = np.random.default_rng(1)
    found = 0
    for _ in range(TRIALS):
        signal = gain * spots(rng, 40_000, 0.01, 30.0, 1.0)
        found += refused(gain * rng.poisson(signal / gain).astype(np.float64), signal)
    assert found > 0.8 * TRIALS


def test_a_refusal_names_the_channel() -> None:
    rng = np.random.default_rng(0)
    signal = rng.gamma(2, 60, 20_000)
    noisy = rng.poisson(signal).astype(np.float64)
    with pytest.raises(NoiseModelError, match=r"^noise model of actin \(clean reference\): the signal"):
        check(NoisePairs(noisy, signal, "clean reference", channel="actin"), "noise model of channel 0")
    with pytest.raises(NoiseModelError, match=r"^noise model of channel 0 \(pairs\): the signal is noisier"):
        check(NoisePairs(noisy, signal), "noise model of channel 0")
