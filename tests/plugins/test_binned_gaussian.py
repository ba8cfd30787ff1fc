"""The tabulated Gaussian finds the noise it is fitted to, and stands where its bins stand."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import norm

from denoisplit.core.arrays import Float64Array
from denoisplit.core.errors import ChannelCountError, NoiseModelError
from denoisplit.core.network.interfaces import NoisePairs
from denoisplit.plugins.noise_models.binned_gaussian import BinnedGaussian
from tests.network.small import statistics


def noisy(count: int, seed: int = 0) -> NoisePairs:
    """Noise with a bias and a std that both vary along the signal."""
    rng = np.random.default_rng(seed)
    signal = rng.uniform(100, 900, count)
    return NoisePairs(signal, signal + bias(signal) + std(signal) * rng.standard_normal(count))


def bias(signal: Float64Array) -> Float64Array:
    return 4 * np.sin(signal / 100)


def std(signal: Float64Array) -> Float64Array:
    return np.sqrt(25 + 2 * signal)


def fitted(pairs: NoisePairs, bins: int = 64) -> BinnedGaussian:
    model = BinnedGaussian(BinnedGaussian.Options(bins=bins), statistics=statistics(1))
    model.fit([pairs], seed=0)
    return model


def image(values: Float64Array) -> torch.Tensor:
    return torch.from_numpy(values)[None, None, None]


def test_bias_and_std_are_found_within_the_error_of_a_bin() -> None:
    count, bins = 400_000, 40
    model, signal = fitted(noisy(count), bins), np.linspace(115, 885, 500)
    error = std(signal) / math.sqrt(count / bins)
    assert (np.abs(model.bias(image(signal)).numpy().ravel() - bias(signal)) < 5 * error + 0.1).all()
    found = model.variance(image(signal)).sqrt().numpy().ravel()
    assert (np.abs(found - std(signal)) < 5 * error / math.sqrt(2) + 0.1).all()


def test_the_report_has_the_entropy_of_the_noise_and_no_complaint() -> None:
    pairs = noisy(200_000)
    model = BinnedGaussian(BinnedGaussian.Options(), statistics=statistics(1))
    (report,) = model.fit([pairs], seed=0)
    signal, observation = (values.astype(np.float64) for values in (pairs.signal, pairs.observation))
    entropy = np.mean(0.5 * np.log(2 * np.pi * math.e * std(signal) ** 2))
    assert report.nll == pytest.approx(entropy, abs=0.01)
    # The Kolmogorov limit at 60,000 pairs.
    assert report.calibration_error < 2 / math.sqrt(60_000)
    assert report.warnings == ()
    assert report.channel == 0
    assert report.pairs == pytest.approx(200_000, rel=2e-3)
    density = model.log_prob(image(observation), image(signal))
    assert -float(density.mean()) == pytest.approx(report.nll, abs=0.02)


def test_a_row_stands_at_the_centre_of_its_bin_and_the_ends_move_along() -> None:
    model = BinnedGaussian(BinnedGaussian.Options(bins=4), statistics=statistics(1)).double()
    table = torch.tensor([[[0.0, 5.0], [10.0, 7.0], [-10.0, 9.0], [2.0, 20.0]]])
    model.load_state_dict({"table": table, "limits": torch.tensor([[100.0, 500.0]])})
    signal = np.array([-1e4, 150.0, 200.0, 250.0, 325.0, 450.0, 900.0])
    means, widths = signal + np.array([0, 0, 5, 10, -5, 2, 2]), [5, 5, 6, 7, 8.5, 20, 20]
    observation = signal + 13
    found = model.log_prob(image(observation), image(signal)).ravel()
    np.testing.assert_allclose(found, norm(means, widths).logpdf(observation), rtol=1e-12)


def test_bins_without_pairs_lie_between_their_neighbours() -> None:
    pairs = noisy(100_000)
    kept = (pairs.signal < 400) | (pairs.signal > 600)
    model = fitted(NoisePairs(pairs.signal[kept], pairs.observation[kept]), 40)
    gap = model.variance(image(np.linspace(410, 590, 50))).sqrt().ravel()
    assert (gap.diff() > 0).all()
    assert float(gap[0]) == pytest.approx(std(np.array(400.0)), rel=0.1)
    assert float(gap[-1]) == pytest.approx(std(np.array(600.0)), rel=0.1)


def test_the_last_bin_has_its_own_noise() -> None:
    rng = np.random.default_rng(0)
    signal = np.arange(8000) / 10 + 100
    width = np.where(signal < 800, 5.0, 50.0)
    model = fitted(NoisePairs(signal, signal + width * rng.standard_normal(8000)), 8)
    found = model.variance(image(np.array([750.0, 850.0]))).sqrt().ravel().tolist()
    assert found == pytest.approx([5, 50], rel=0.1)


def test_noise_that_is_not_gaussian_is_reported() -> None:
    rng = np.random.default_rng(0)
    signal = rng.uniform(100, 900, 50_000)
    skewed = NoisePairs(signal, signal + 30 * (rng.exponential(size=50_000) - 1))
    (report,) = BinnedGaussian(BinnedGaussian.Options(), statistics=statistics(1)).fit([skewed], seed=0)
    assert any("may not be Gaussian" in sentence for sentence in report.warnings)


def test_what_cannot_be_fitted_or_used_says_why() -> None:
    model = BinnedGaussian(BinnedGaussian.Options(bins=500), statistics=statistics(1))
    flat = torch.zeros(1, 1, 2, 2)
    with pytest.raises(NoiseModelError, match=r"binned_gaussian: not fitted\. Call fit"):
        model.log_prob(flat, flat)
    with pytest.raises(ChannelCountError, match=r"pairs of 2 channels for 1 channels"):
        model.fit([noisy(1000)] * 2, seed=0)
    with pytest.raises(NoiseModelError, match=r"no bin has 50 .* \(got \d+ pairs for 500 bins\)"):
        model.fit([noisy(1000)], seed=0)
    model.fit([noisy(100_000)], seed=0)
    with pytest.raises(ChannelCountError, match="the image has 2 channels, the noise model 1"):
        model.variance(torch.zeros(1, 2, 2, 2))
