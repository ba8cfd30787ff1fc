"""The noise model of a camera: exact sums, derivatives, fits, refusals."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from scipy.stats import norm, poisson

from denoisplit.core.arrays import Float64Array
from denoisplit.core.errors import ChannelCountError, NoiseModelError
from denoisplit.core.network.interfaces import IntensityStats, NoisePairs
from denoisplit.plugins.noise_models.poisson_gaussian import PoissonGaussian
from denoisplit.plugins.noise_models.poisson_gaussian_maths import Camera, distribution, log_density
from tests.plugins.cameras_found import parameters_of

Options = PoissonGaussian.Options


def build(channels: int = 1, options: Options | None = None) -> PoissonGaussian:
    statistics = IntensityStats(
        mixed_mean=0.0, mixed_std=1.0, target_mean=(0.0,) * channels, target_std=(1.0,) * channels
    )
    return PoissonGaussian(options or Options(), statistics=statistics)


def camera(gain: float, offset: float, read: float, dtype: torch.dtype = torch.float64) -> Camera:
    return Camera(*torch.tensor([gain, offset, read], dtype=dtype))


def term_by_term(observation: float, signal: float, gain: float, offset: float, read: float) -> float:
    """The sum over all photons that matter, by another library."""
    expected, electrons = (signal - offset) / gain, (observation - offset) / gain
    most = max(expected, electrons, 1.0)
    n = np.arange(int(most + 12 * np.sqrt(most) + 60))
    terms = poisson.logpmf(n, expected) + norm.logpdf(observation, offset + gain * n, read)
    return float(logsumexp(terms))


def noisy(signal: Float64Array, *, gain: float, offset: float, read: float, seed: int = 0) -> Float64Array:
    rng = np.random.default_rng(seed)
    found: Float64Array = (
        offset + gain * rng.poisson((signal - offset) / gain) + rng.normal(0, read, len(signal))
    )
    return found


def scene(pixels: int, offset: float = 100.0) -> Float64Array:
    return offset + np.random.default_rng(1).gamma(1.5, 60, pixels)


@settings(max_examples=150)
@given(
    gain=st.floats(0.05, 50),
    ratio=st.floats(-1, 1.6),
    photons=st.floats(-3, 4.5),
    sigmas=st.floats(-60, 60),
)
def test_the_window_is_the_whole_sum(gain: float, ratio: float, photons: float, sigmas: float) -> None:
    read, signal = gain * 10**ratio, 100 + gain * 10**photons
    observation = signal + sigmas * np.sqrt(gain * (signal - 100) + read**2)
    found = log_density(
        torch.tensor([observation], dtype=torch.float64),
        torch.tensor([signal], dtype=torch.float64),
        camera(gain, 100.0, read),
    )
    expected = term_by_term(observation, signal, gain, 100.0, read)
    assert float(found) == pytest.approx(expected, rel=1e-9, abs=1e-6)


@pytest.mark.parametrize("read", [0.4, 3.0, 30.0])
def test_float32_is_close(read: float) -> None:
    signal = 100 + torch.logspace(-2, 5, 40, dtype=torch.float64)
    for sigmas in (-3.0, 0.3, 10.0):
        observation = signal + sigmas * (2 * (signal - 100) + read**2).sqrt()
        # Rounding the images costs more than rounding on the way, so both sides get rounded images.
        one, two = observation.float(), signal.float()
        found = log_density(one, two, camera(2.0, 100.0, read, torch.float32))
        exact = log_density(one.double(), two.double(), camera(2.0, 100.0, read))
        torch.testing.assert_close(found.double(), exact, rtol=2e-5, atol=2e-3)


@pytest.mark.parametrize("read", [0.4, 3.0, 30.0])
def test_derivatives(read: float) -> None:
    signal = torch.tensor([98.0, 100.5, 103.0, 120.0, 400.0, 9000.0], dtype=torch.float64)
    observation = signal + torch.tensor([5.0, -3.0, 9.0, 30.0, -60.0, 300.0], dtype=torch.float64)
    parameters = torch.tensor([2.0, 100.0, read], dtype=torch.float64).unbind()
    numbers = (observation, signal, *(parameter.clone() for parameter in parameters))
    for number in numbers:
        number.requires_grad_()

    def value(x: torch.Tensor, s: torch.Tensor, *parameters: torch.Tensor) -> torch.Tensor:
        return log_density(x, s, Camera(*parameters))

    assert torch.autograd.gradcheck(value, numbers, eps=1e-5, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("read", [1.5, 40.0])
@pytest.mark.parametrize("signal", [99.0, 101.0, 130.0, 700.0, 3000.0])
def test_distribution_is_the_integral_of_the_density(signal: float, read: float) -> None:
    numbers = camera(2.0, 100.0, read)
    std = (2 * abs(signal - 100) + 1 + read**2) ** 0.5
    grid = signal + torch.arange(-8.0, 8.0, 0.02, dtype=torch.float64) * std
    density = log_density(grid, torch.full_like(grid, signal), numbers).exp()
    expected = torch.cumulative_trapezoid(density, grid)
    found = distribution(grid[1:], torch.full_like(grid[1:], signal), numbers)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    ("gain", "offset", "read"), [(4.0, 100.0, 6.0), (12.0, 20.0, 3.0), (0.5, 400.0, 2.0)]
)
def test_fit_recovers_a_camera(gain: float, offset: float, read: float) -> None:
    signal = scene(100_000, offset)
    model = build()
    (report,) = model.fit([NoisePairs(signal, noisy(signal, gain=gain, offset=offset, read=read))], seed=0)
    assert report.warnings == ()
    assert report.calibration_error < 0.015
    found = parameters_of(model, 0)
    assert found[0] == pytest.approx(gain, rel=0.04)
    probe = torch.tensor([offset + 30.0, offset + 100.0, offset + 400.0]).view(1, 1, 1, -1)
    expected = gain * (probe - offset) + read**2
    torch.testing.assert_close(model.variance(probe), expected, rtol=0.05, atol=0)


def test_photons_that_can_be_told_apart_give_offset_and_read_noise() -> None:
    signal = scene(40_000)
    model = build(options=Options(gain=10.0))
    model.fit([NoisePairs(signal, noisy(signal, gain=10.0, offset=100.0, read=2.0))], seed=0)
    assert parameters_of(model, 0) == pytest.approx((10.0, 100.0, 2.0), rel=0.02)


def test_what_is_known_is_not_fitted_and_channels_are_fitted_one_by_one() -> None:
    signal = scene(50_000)
    model = build(2, Options(offset=100.0, fit_pairs=10_000))
    assert model.needs_fit
    pairs = [
        NoisePairs(signal, noisy(signal, gain=g, offset=100.0, read=r)) for g, r in ((2.0, 9.0), (8.0, 3.0))
    ]
    reports = model.fit(pairs, seed=0)
    assert [report.channel for report in reports] == [0, 1]
    for channel, expected in enumerate([(2.0, 100.0, 9.0), (8.0, 100.0, 3.0)]):
        found = parameters_of(model, channel)
        assert found[1] == 100.0
        assert found == pytest.approx(expected, rel=0.1)


def test_fit_is_deterministic_and_travels_in_the_state_dict() -> None:
    signal = scene(20_000)
    pairs = [NoisePairs(signal, noisy(signal, gain=3.0, offset=100.0, read=5.0))]
    one, two, fresh = (build(options=Options(fit_pairs=2000)) for _ in range(3))
    one.fit(pairs, seed=3)
    two.fit(pairs, seed=3)
    assert torch.equal(one.cameras, two.cameras)
    with pytest.raises(NoiseModelError, match="not fitted"):
        fresh.log_prob(torch.ones(1, 1, 1, 1), torch.ones(1, 1, 1, 1))
    fresh.load_state_dict(one.state_dict())
    assert not fresh.needs_fit
    assert parameters_of(fresh, 0) == parameters_of(one, 0)


def test_a_camera_that_is_known_needs_no_fit() -> None:
    model = build(3, Options(gain=2.2, offset=100.0, read_noise=4.5))
    assert not model.needs_fit
    assert parameters_of(model, 2) == pytest.approx((2.2, 100.0, 4.5), rel=1e-13)


def test_what_is_no_such_camera_is_reported() -> None:
    rng = np.random.default_rng(0)
    signal = scene(50_000)
    forked = signal + rng.choice([-30.0, 30.0], len(signal)) + rng.normal(0, 5, len(signal))
    (report,) = build(options=Options(fit_pairs=3000)).fit([NoisePairs(signal, forked)], seed=0)
    assert any("not well described" in warning for warning in report.warnings)
    whole = 100 + 5.0 * rng.poisson((signal - 100) / 5)
    (report,) = build(options=Options(fit_pairs=3000)).fit([NoisePairs(signal, whole)], seed=0)
    assert any("held at its floor" in warning for warning in report.warnings)


def test_noise_that_does_not_depend_on_the_signal_is_described() -> None:
    rng = np.random.default_rng(0)
    signal = rng.uniform(100, 1000, 50_000)
    model = build(options=Options(fit_pairs=10_000))
    (report,) = model.fit([NoisePairs(signal, signal + rng.normal(0, 10, len(signal)))], seed=0)
    assert report.calibration_error < 0.02
    probe = torch.tensor([150.0, 950.0]).view(1, 1, 1, -1)
    torch.testing.assert_close(model.variance(probe), torch.full_like(probe, 100.0), rtol=0.1, atol=0)


def test_unusable_pairs_and_other_channels_are_refused() -> None:
    signal = scene(50_000)
    observation = noisy(signal, gain=4.0, offset=100.0, read=6.0)
    with pytest.raises(NoiseModelError, match="Exchange signal and observation"):
        build().fit([NoisePairs(observation, signal)], seed=0)
    with pytest.raises(ChannelCountError, match="1 channels for 2"):
        build(2).fit([NoisePairs(signal, observation)], seed=0)
    known = build(1, Options(gain=1.0, offset=0.0, read_noise=1.0))
    with pytest.raises(ChannelCountError, match="2 channels"):
        known.log_prob(torch.ones(1, 2, 3, 3), torch.ones(1, 2, 3, 3))
    with pytest.raises(ValueError, match="gain"):
        Options(gain=0.0)
    with pytest.raises(ValueError, match="read_noise"):
        Options(read_noise=-1.0)
