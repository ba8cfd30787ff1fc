"""Chi-square of images drawn from the model is 1, for oracles that know the posterior."""

import numpy as np
import pytest

from denoisplit.core.images.degradation import Degradation, noise_of_mixed, read_noise
from denoisplit.core.images.drawn import InOrder
from denoisplit.core.images.mixing import Mixing, mix
from denoisplit.core.verdict.consistency import chi_square, mixed_variance, network_statistics

PLAIN = Degradation()


@pytest.mark.parametrize("mixing", [Mixing(), Mixing(mode="sum", offset=90.0)], ids=["mean", "sum"])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_the_variance_of_the_mixed_noise(mixing: Mixing, channels: int) -> None:
    rng = np.random.default_rng(channels)
    sigma = np.array([3.0, 5.0, 11.0])[:channels].reshape(-1, 1, 1)
    noisy = 200 + rng.normal(0, 1, (channels, 400, 400)) * sigma
    expected = mix(noisy, mixing, axis=0)[0].var()
    found = mixed_variance(np.broadcast_to(sigma**2, noisy.shape), mixing, PLAIN)
    assert found.shape == (400, 400)
    np.testing.assert_allclose(found, expected, rtol=0.02)


@pytest.mark.parametrize("mode", ["mean", "sum"])
def test_a_noise_of_its_own_counts_as_such(mode: str) -> None:
    mixing = Mixing(mode="sum") if mode == "sum" else Mixing()
    degradation = Degradation(gaussian=6.0, dependent=False)
    rng = np.random.default_rng(0)
    noise = read_noise((3, 500, 500), 6.0, rng)
    own = noise_of_mixed(noise, degradation, mixing, InOrder(rng), axis=0)[...]
    found = mixed_variance(np.full((3, 1, 1), 36.0), mixing, degradation)
    assert found.item() == pytest.approx(own.var(), rel=0.02)


@pytest.mark.parametrize("mixing", [Mixing(), Mixing(mode="sum", offset=50.0)], ids=["mean", "sum"])
@pytest.mark.parametrize("samples", [1, 2, 7])
def test_chi_square_of_an_oracle_is_one_for_any_number_of_samples(mixing: Mixing, samples: int) -> None:
    """Normal channels and normal noise, of which the joint posterior is known."""
    rng = np.random.default_rng(samples)
    pixels, centre = 200_000, 100.0
    prior, noise = np.array([9.0, 4.0, 2.0]), np.array([5.0, 3.0, 2.0])
    signal = centre + rng.normal(0, 1, (3, pixels)) * np.sqrt(prior)[:, None]
    mixed = mix(signal + rng.normal(0, 1, (3, pixels)) * np.sqrt(noise)[:, None], mixing, axis=0)[0]
    weight = 1 / 3 if mixing.mode == "mean" else 1.0
    variance = weight**2 * noise.sum()
    # Conditioning on x = weight * sum(s) + constant + noise.
    total = weight**2 * prior.sum() + variance
    response = weight * prior / total
    expected = mix(np.full((3, 1), centre), mixing, axis=0)[0]
    posterior_mean = centre + response[:, None] * (mixed - expected)
    covariance = np.diag(prior) - np.outer(response, response) * total
    root = np.linalg.cholesky(covariance)
    draws = posterior_mean + np.einsum("cd,sdp->scp", root, rng.normal(0, 1, (samples, 3, pixels)))
    found = chi_square(mixed, draws.mean(0), draws[0], np.full(pixels, variance), mixing)
    assert found.shape == (pixels,)
    assert abs(found.mean() - 1) < 4 * found.std() / np.sqrt(pixels)
    # The residual of the posterior mean alone falls short of it by the leverage.
    leverage = weight**2 * prior.sum() / total
    alone = chi_square(mixed, posterior_mean, posterior_mean, np.full(pixels, variance), mixing)
    assert abs(alone.mean() - (1 - leverage)) < 4 * alone.std() / np.sqrt(pixels)


def test_chi_square_of_an_oracle_is_one_for_photons() -> None:
    """Photon numbers of a gamma-distributed signal: skewed, and as noisy as it is bright."""
    rng = np.random.default_rng(0)
    signal = rng.gamma(8.0, 2.0, (1, 400_000))
    photons = rng.poisson(signal).astype(np.float64)
    draw = rng.gamma(8.0 + photons, 1 / (1 / 2.0 + 1))
    found = chi_square(photons[0], draw, draw, draw[0], Mixing())
    assert abs(found.mean() - 1) < 4 * found.std() / np.sqrt(found.size)


def test_channels_that_do_not_add_up_show_where() -> None:
    rng = np.random.default_rng(0)
    signal = rng.uniform(100, 300, (2, 40, 40))
    mixed = signal.mean(0) + rng.normal(0, 3, (40, 40))
    mixed[:10] += 30
    found = chi_square(mixed, signal, signal, np.full((40, 40), 9.0), Mixing())
    assert found[:10].mean() == pytest.approx(1 + 30**2 / 9, rel=0.1)
    assert found[10:].mean() == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("weights", [(1.0, 1.0), (0.8, 0.2), (1.0, 0.0)], ids=["sum", "unequal", "one alone"])
def test_another_mixing_does_not_add_up(weights: tuple[float, float]) -> None:
    """Even if the channels were predicted without error."""
    rng = np.random.default_rng(0)
    signal = rng.gamma(2.0, 20.0, (2, 200, 200))
    usual = signal.mean(0) + rng.normal(0, 4, (200, 200))
    other = np.tensordot(weights, signal, axes=1) + rng.normal(0, 4, (200, 200))
    variance = np.full((200, 200), 16.0)
    # Of a chi-square distribution with as many degrees of freedom as pixels.
    assert abs(chi_square(usual, signal, signal, variance, Mixing()).mean() - 1) < 4 * np.sqrt(2 / 40_000)
    assert chi_square(other, signal, signal, variance, Mixing()).mean() > 2


def test_the_summary_are_logarithms_of_means() -> None:
    misfit = np.array([[1.0, 3.0], [2.0, 2.0]])
    found = network_statistics(misfit, [np.full((2, 2), 0.5), np.zeros(3)])
    assert set(found) == {"mixture", "latents_0", "latents_1"}
    assert found["mixture"] == pytest.approx(np.log(2))
    assert found["latents_0"] == pytest.approx(np.log(0.5), abs=1e-3)
    assert np.isfinite(found["latents_1"])
