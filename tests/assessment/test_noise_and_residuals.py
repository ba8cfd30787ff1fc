"""What is said of noise and residuals follows from their numbers."""

import numpy as np
from scipy.ndimage import correlate1d

from denoisplit.core.assessment.noise_agreement import BINS, noise_agreement
from denoisplit.core.assessment.residual_correlation import LAGS, residual_correlation


def test_noise_of_another_size_is_measured_by_its_factor() -> None:
    rng = np.random.default_rng(0)
    signal = rng.uniform(100, 300, 60_000)
    variance = 4 + 2 * (signal - 90)
    observation = signal + 1.3 * np.sqrt(variance) * rng.standard_normal(signal.size)
    found = noise_agreement("actin", "clean reference", signal, observation, variance)
    assert found is not None
    assert len(found.signal) == BINS
    assert abs(found.ratio - 1.3) < 0.02
    np.testing.assert_allclose(found.modelled, np.sqrt(4 + 2 * (found.signal - 90)), rtol=0.02)
    assert noise_agreement("actin", "clean", signal[:9], observation[:9], variance[:9]) is None


def test_white_residuals_are_white_and_others_have_their_correlation() -> None:
    rng = np.random.default_rng(0)
    white = [2.0 * rng.standard_normal((160, 150)) for _ in range(3)]
    found = residual_correlation(white)
    assert abs(found.std - 2) < 0.03
    assert len(found.along_x) == len(found.along_y) == LAGS
    assert abs(found.largest) < found.white
    weights = np.array([1.0, 1.0, 0.5])  # correlations of 1.5 / 2.25 and 0.5 / 2.25, then none
    smeared = residual_correlation([correlate1d(one, weights, axis=-1, mode="wrap") for one in white])
    np.testing.assert_allclose(smeared.along_x[:3], [1.5 / 2.25, 0.5 / 2.25, 0], atol=0.03)
    assert max(abs(smeared.along_y)) < 0.03


def test_a_smooth_remainder_is_in_the_residual_but_not_in_its_noise() -> None:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:256, :256]
    found = residual_correlation([rng.standard_normal((256, 256)) + np.sin(y / 9) + np.cos(x / 7)])
    assert found.largest > 0.4
    assert found.rough is not None
    assert abs(found.rough.largest) < 0.05
