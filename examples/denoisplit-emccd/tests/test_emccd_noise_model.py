from collections.abc import Callable

import numpy as np
import pytest
import torch
from denoisplit.core.network.interfaces import IntensityStats, NoiseModel, NoisePairs
from denoisplit.plugins.datasets.simulated import Simulated
from denoisplit.testing import NoiseModelTests
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import simpson
from torch import Tensor

from denoisplit_emccd.density import Camera, log_density, variance
from denoisplit_emccd.noise_model import Emccd

GAIN, OFFSET, READ_NOISE = 25.0, 100.0, 4.0
ONE_CHANNEL = IntensityStats(mixed_mean=0, mixed_std=1, target_mean=[0], target_std=[1])


class TestEmccd(NoiseModelTests):
    component = Emccd

    def options(self) -> st.SearchStrategy[Emccd.Options]:
        """Cameras of few and of many electrons, and one that is fitted."""
        gains = st.sampled_from([0.5, 4.0, 60.0])
        given = st.builds(
            Emccd.Options, gain=gains, offset=st.just(90.0), read_noise=st.sampled_from([2.0, 30.0])
        )
        return st.just(Emccd.Options(fit_pairs=500, fit_steps=5)) | given


def camera(gain: float, offset: float, read_noise: float) -> Camera:
    return Camera(*torch.tensor([gain, offset, read_noise], dtype=torch.float64))


def summed_over_electrons(e: float, expected: float, read: float) -> float:
    """The density in units of the gain, electron by electron."""
    u = np.linspace(max(e - 10 * read, 0), e + 10 * read, 20_001)
    noise = stats.norm.pdf(e - u, scale=read)
    total = stats.poisson.pmf(0, expected) * stats.norm.pdf(e, scale=read)
    for n in range(1, int(expected + 10 * expected**0.5) + 12):
        total += stats.poisson.pmf(n, expected) * simpson(stats.gamma.pdf(u, n) * noise, x=u)
    return float(total)


@pytest.mark.parametrize("expected", [0.02, 0.8, 6.0])
@pytest.mark.parametrize("read", [0.15, 1.5])
def test_the_density_is_the_sum_over_all_numbers_of_electrons(expected: float, read: float) -> None:
    found = [-2 * read, 0.0, 0.4, expected + 1, 3 * expected + 5]
    reference = np.log([summed_over_electrons(e, expected, read) for e in found])
    signal = torch.full((len(found),), expected, dtype=torch.float64)
    ours = log_density(torch.tensor(found, dtype=torch.float64), signal, camera(1.0, 0.0, read))
    np.testing.assert_allclose(ours, reference, atol=1e-5)


def by_differences(function: Callable[[Tensor], Tensor], at: Tensor, step: float) -> Tensor:
    """Gradient of a scalar by every element of ``at``."""
    moves = step * torch.eye(len(at), dtype=at.dtype)
    return torch.stack([(function(at + move) - function(at - move)) / (2 * step) for move in moves])


@pytest.mark.parametrize("z", [-8.0, -0.5, 3.0, 30.0])
def test_derivatives_are_those_of_the_density(z: float) -> None:
    signal = torch.tensor([60.0, 99.0, 130.0, 400.0, 5000.0], dtype=torch.float64)
    numbers = torch.tensor([GAIN, OFFSET, READ_NOISE], dtype=torch.float64)
    observation = signal + z * variance(signal, Camera(*numbers)).sqrt()

    def total(arguments: Tensor) -> Tensor:
        return log_density(observation, arguments[3:], Camera(*arguments[:3])).sum()

    arguments = torch.cat([numbers, signal]).requires_grad_()
    (gradient,) = torch.autograd.grad(total(arguments), arguments)
    expected = by_differences(total, arguments.detach(), 1e-4)
    torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-6)


def exposures() -> NoisePairs:
    """Pairs of a simulated camera with a multiplying register: another implementation of the same physics."""
    options = Simulated.Options(
        fields=3, size=96, photons=30, camera="em", gain=GAIN, offset=OFFSET, read_noise=READ_NOISE
    )
    fields = Simulated(options, channels=("filaments",)).fields()
    clean = np.concatenate([field.clean[...].ravel() for field in fields if field.clean is not None])
    observed = np.concatenate([field.observed[...].ravel() for field in fields])
    return NoisePairs(signal=clean, observation=observed)


def likelihood(model: NoiseModel, pairs: NoisePairs) -> float:
    """Mean log-likelihood of pairs, nats per pixel."""
    signal, observation = (torch.from_numpy(x)[None, None] for x in (pairs.signal, pairs.observation))
    return float(model.log_prob(observation, signal).mean())


def test_a_fit_finds_the_camera_and_describes_it_better_than_a_gaussian() -> None:
    pairs = exposures()
    model = Emccd(Emccd.Options(fit_pairs=6000), statistics=ONE_CHANNEL)
    (report,) = model.fit([pairs], seed=0)
    gain, offset, read_noise = model.cameras[0].tolist()
    assert gain == pytest.approx(GAIN, rel=0.05)
    assert offset == pytest.approx(OFFSET, abs=0.2 * GAIN)
    assert read_noise == pytest.approx(READ_NOISE, rel=0.1)
    assert report.calibration_error < 0.05
    assert report.warnings == ()
    given = Emccd(Emccd.Options(gain=GAIN, offset=OFFSET, read_noise=READ_NOISE), statistics=ONE_CHANNEL)
    assert likelihood(model, pairs) == pytest.approx(likelihood(given, pairs), abs=0.005)
    signal = torch.from_numpy(pairs.signal).double()
    spread = variance(signal, camera(GAIN, OFFSET, READ_NOISE)).sqrt()
    gaussian = float(np.mean(stats.norm.logpdf(pairs.observation, signal, spread)))
    assert likelihood(given, pairs) > gaussian + 0.05


def test_numbers_that_are_given_stay() -> None:
    model = Emccd(Emccd.Options(offset=OFFSET, fit_pairs=2000), statistics=ONE_CHANNEL)
    model.fit([exposures()], seed=0)
    assert float(model.cameras[0, 1]) == OFFSET


def test_noise_of_another_sort_is_reported() -> None:
    rng = np.random.default_rng(0)
    signal = rng.uniform(100, 900, 5000)
    noisy = signal + 40 * rng.choice([-1, 1], 5000) + rng.normal(0, 2, 5000)
    model = Emccd(Emccd.Options(), statistics=ONE_CHANNEL)
    (report,) = model.fit([NoisePairs(signal=signal, observation=noisy)], seed=0)
    assert "not well described" in report.warnings[0]
