"""Laws of noise models: true densities, finite everywhere, consistent with samples, exact in other units."""

import math
from collections.abc import Callable
from typing import get_args

import attrs
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import cumulative_trapezoid
from scipy.stats import kstest
from torch import Tensor

from denoisplit.core.network.interfaces import IntensityStats, NoiseModel
from denoisplit.core.registry import load_registry
from denoisplit.core.registry.manager import BUILTIN
from denoisplit.plugins.noise_models.binned_gaussian import BinnedGaussian
from denoisplit.plugins.noise_models.gaussian import Gaussian, LogVariance
from denoisplit.plugins.noise_models.gaussian_mixture import GaussianMixture
from denoisplit.plugins.noise_models.histogram import Histogram
from denoisplit.plugins.noise_models.poisson_gaussian import PoissonGaussian
from denoisplit.plugins.noise_models.scmos import Scmos
from denoisplit.plugins.noise_models.split_numbers import split
from denoisplit.plugins.noise_models.spread_mixture import SpreadMixture
from denoisplit.plugins.noise_models.weighted import Weighted

MEAN, STD = (300.0, 500.0), (80.0, 150.0)
LOWEST, HIGHEST = 100.0, 1000.0
BINS = 24


def statistics(factor: float = 1.0) -> IntensityStats:
    return IntensityStats(
        mixed_mean=0.0,
        mixed_std=1.0,
        target_mean=[m * factor for m in MEAN],
        target_std=[s * factor for s in STD],
    )


def mixture(seed: int, factor: float = 1.0) -> NoiseModel:
    """A random mixture of detector counts, of counts times ``factor`` when given."""
    generator = torch.Generator().manual_seed(seed)
    weights = 0.5 * torch.randn(2, 3, 3, 2, generator=generator, dtype=torch.float64)
    weights[:, 0] *= 30 * factor
    weights[:, 1] += 6 + 2 * math.log(factor)
    if seed % 2:
        weights[1, 2, 2, 0], weights[1, 2, 2, 1] = -math.inf, 0.0  # the second channel has a component less
    model = GaussianMixture(GaussianMixture.Options(), statistics=statistics(factor)).double()
    limits = factor * torch.tensor([[LOWEST, HIGHEST], [LOWEST, 0.8 * HIGHEST]], dtype=torch.float64)
    floor = torch.tensor([[9.0, 0.0], [4.0, 0.0]], dtype=torch.float64) * factor**2
    model.load_state_dict({"weights": weights, "signal_range": limits, "variance_floor": floor})
    return model


def histogram(seed: int, factor: float = 1.0) -> NoiseModel:
    """Random tables; with an odd seed, some rows and cells are empty and the share of the floor varies."""
    generator = torch.Generator().manual_seed(seed)
    table = torch.rand(2, BINS, BINS, generator=generator, dtype=torch.float64).pow(8)
    shares = torch.full((2, BINS), 1e-6, dtype=torch.float64)
    if seed % 2:
        table[table < 0.1] = 0.0
        table[0, [0, 5, -1]] = 0.0
        shares = 0.3 * torch.rand(2, BINS, generator=generator, dtype=torch.float64)
    table /= table.sum(-1, keepdim=True).clamp(min=1e-9)
    low = torch.tensor([0.0, LOWEST], dtype=torch.float64)
    limits = factor * torch.stack([low, low + BINS * torch.tensor([40.0, 30.0])], dim=1)
    options = Histogram.Options(centred=seed % 3 == 0)
    model = Histogram(options, statistics=statistics(factor)).double()
    model.load_state_dict({"tables": split(table), "shares": shares, "limits": split(limits)})
    return model


def binned(seed: int, factor: float = 1.0) -> NoiseModel:
    """Random tables of bias and std; the std grows with the signal, as that of photons does."""
    bias, std = torch.rand(2, 2, 7, generator=torch.Generator().manual_seed(seed)).double()
    table = torch.stack([10 * (bias - 0.5), 5 + 60 * std.sort(-1).values], dim=-1)
    limits = torch.tensor([[LOWEST, HIGHEST], [LOWEST, 0.8 * HIGHEST]], dtype=torch.float64)
    model = BinnedGaussian(BinnedGaussian.Options(bins=7), statistics=statistics(factor)).double()
    model.load_state_dict({"table": factor * table, "limits": factor * limits})
    return model


def camera(seed: int, factor: float = 1.0) -> NoiseModel:
    """Random cameras, from such that tell single photons apart to such with much read noise."""
    gain, read = 1 + 15 * torch.rand(2, generator=torch.Generator().manual_seed(seed)).double()
    options = PoissonGaussian.Options(
        gain=float(gain) * factor, offset=LOWEST * factor, read_noise=(2 + float(read)) * factor
    )
    return PoissonGaussian(options, statistics=statistics(factor))


@attrs.frozen
class Case:
    """A noise model, how to make one, and the maps it wants; whether its density has steps (whole counts)."""

    name: str
    make: Callable[[int, float], NoiseModel]
    in_counts: float = 1.0
    """Weight of what is stated in counts, the rest in normalised units."""
    steps: bool = False

    def maps(self, model: NoiseModel, like: Tensor, seed: int) -> Tensor | None:
        if model.extra_maps == 0:
            return None
        return torch.randn(like.shape, generator=torch.Generator().manual_seed(seed), dtype=like.dtype)


def _gaussian(mode: LogVariance) -> Callable[[int, float], NoiseModel]:
    return lambda seed, factor: Gaussian(Gaussian.Options(log_variance=mode), statistics=statistics(factor))


def weighted(seed: int, factor: float = 1.0) -> NoiseModel:
    """The random mixture above beside a Gaussian."""
    model = Weighted(Weighted.Options(weight=0.7), statistics=statistics(factor)).double()
    model.mixture.load_state_dict(mixture(seed, factor).state_dict())
    return model


def spread(seed: int, factor: float = 1.0) -> NoiseModel:
    """The random mixture above around a signal with a variance of its own."""
    model = SpreadMixture(SpreadMixture.Options(first=0.1), statistics=statistics(factor)).double()
    model.noise.load_state_dict(mixture(seed, factor).state_dict())
    return model


CASES = [
    Case("mixture", mixture),
    Case("histogram", histogram, steps=True),
    Case("binned", binned),
    Case("camera", camera),
    *(Case(mode, _gaussian(mode)) for mode in get_args(LogVariance)),
    Case("weighted", weighted, in_counts=0.7),
    Case("spread", spread),
]
every_model = pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
every_density = pytest.mark.parametrize(
    "case", [case for case in CASES if case.make(0, 1.0).is_density], ids=lambda c: c.name
)
seeds = st.integers(0, 10**6)


def test_every_registered_noise_model_is_a_case() -> None:
    rows = load_registry().components("noise_model")
    registered = {row.load() for row in rows if row.package == BUILTIN}
    # Every pixel of ``scmos`` has a density of its own; ``NoiseModelTests`` and ``test_scmos`` look at them.
    assert {type(case.make(0, 1.0)) for case in CASES} == registered - {Scmos}


def signals(seed: int, shape: tuple[int, ...] = (2, 2, 3, 4)) -> Tensor:
    """Signals within and somewhat outside the fitted range."""
    uniform = torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return LOWEST - 100 + (HIGHEST - LOWEST + 300) * uniform


def densities(model: NoiseModel, signal: Tensor, extra: Tensor | None, offsets: Tensor) -> Tensor:
    """Density of observations at ``offsets`` from one image of signals, [offsets c y x]."""
    many = signal.expand(len(offsets), *signal.shape[1:])
    maps = None if extra is None else extra.expand_as(many)
    return model.log_prob(many + offsets.view(-1, 1, 1, 1), many, maps).exp()


@every_density
@settings(max_examples=10)
@given(seed=seeds)
def test_density_integrates_to_one_with_the_declared_mean_and_variance(case: Case, seed: int) -> None:
    model, signal = case.make(seed, 1.0), signals(seed, (1, 2, 1, 2))
    if case.steps:
        signal = signal.floor()  # the sum is the midpoint rule of every step
    extra = case.maps(model, signal, seed)
    # Steps of half the std of the narrowest component.
    offsets = 0.5 + torch.arange(-6000, 6000, 1.0, dtype=torch.float64)
    density, offsets = densities(model, signal, extra, offsets), offsets.view(-1, 1, 1, 1)
    ones = torch.ones_like(signal[0])
    torch.testing.assert_close(density.sum(0), ones, rtol=1e-6, atol=0)
    bias = model.bias(signal)[0] if isinstance(model, Histogram | BinnedGaussian) else 0 * ones
    torch.testing.assert_close((density * offsets).sum(0), bias, rtol=0, atol=1e-3)
    within = density * ((offsets - bias) ** 2 + case.steps / 12)
    torch.testing.assert_close(within.sum(0), model.variance(signal, extra)[0], rtol=1e-5, atol=0)


def test_the_composite_likelihood_that_calls_itself_no_density_is_none() -> None:
    model, signal = weighted(0), signals(0, (1, 2, 1, 2))
    offsets = torch.arange(-6000, 6000, 1.0, dtype=torch.float64)
    integral = densities(model, signal, torch.zeros_like(signal), offsets).sum(0)
    assert not model.is_density
    assert ((integral - 1).abs() > 0.1).all()


@every_model
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@settings(max_examples=20)
@given(seed=seeds, sigmas=st.floats(-200, 200), far=st.floats(-1e5, 1e5))
def test_value_and_gradient_are_finite_and_point_home_far_away(
    case: Case, dtype: torch.dtype, seed: int, sigmas: float, far: float
) -> None:
    model = case.make(seed, 1.0)
    for signal in (signals(seed).to(dtype), signals(seed).to(dtype) + far):
        extra = case.maps(model, signal, seed)
        observation = signal + sigmas * model.variance(signal, extra).sqrt()
        signal.requires_grad_()
        value = model.log_prob(observation, signal, extra)
        (gradient,) = torch.autograd.grad(value.sum(), signal)
        assert value.dtype == dtype
        assert value.isfinite().all()
        assert gradient.isfinite().all()


@pytest.mark.parametrize("make", [mixture, histogram, binned, camera])
def test_there_is_a_gradient_where_a_floored_density_has_none(make: Callable[[int], NoiseModel]) -> None:
    model, signal = make(0), signals(0)
    observation = signal + 60 * model.variance(signal).sqrt()
    signal.requires_grad_()
    (gradient,) = torch.autograd.grad(model.log_prob(observation, signal).sum(), signal)
    assert (gradient > 0).all()


@every_density
@settings(max_examples=4)
@given(seed=seeds)
def test_samples_agree_with_the_density(case: Case, seed: int) -> None:
    """The probability integral transform of samples is uniform."""
    model, signal = case.make(seed, 1.0), signals(seed, (1, 2, 1, 2))
    extra = case.maps(model, signal, seed)
    many = signal.expand(4000, 2, 1, 2)
    maps = None if extra is None else extra.expand_as(many)
    drawn = (model.sample(many, torch.Generator().manual_seed(seed), maps) - signal).flatten(1).numpy()
    offsets = torch.arange(-3000, 3000, 0.5, dtype=torch.float64)
    density = densities(model, signal, extra, offsets).flatten(1).numpy()
    for column in range(4):
        cumulative = cumulative_trapezoid(density[:, column], offsets.numpy(), initial=0)
        transformed = np.interp(drawn[:, column], offsets.numpy(), cumulative)
        assert kstest(transformed, "uniform").pvalue > 1e-6


@every_model
@settings(max_examples=20)
@given(seed=seeds, factor=st.floats(0.01, 100))
def test_change_of_units_costs_the_log_of_the_scale(case: Case, seed: int, factor: float) -> None:
    one, other, signal = case.make(seed, 1.0), case.make(seed, factor), signals(seed)
    extra = case.maps(one, signal, seed)
    observation = signal + 20
    torch.testing.assert_close(
        other.log_prob(factor * observation, factor * signal, extra),
        one.log_prob(observation, signal, extra) - case.in_counts * math.log(factor),
        rtol=1e-6,
        atol=1e-6,
    )


@every_model
@settings(max_examples=10)
@given(seed=seeds)
def test_dimensions_and_batch_do_not_matter(case: Case, seed: int) -> None:
    model, volume = case.make(seed, 1.0), signals(seed, (2, 2, 3, 4, 5))
    extra = case.maps(model, volume, seed)
    found = model.log_prob(volume + 7, volume, extra)
    flat = None if extra is None else extra.flatten(2, 3)
    torch.testing.assert_close(
        model.log_prob(volume.flatten(2, 3) + 7, volume.flatten(2, 3), flat), found.flatten(2, 3)
    )
    second = None if extra is None else extra[1:]
    torch.testing.assert_close(model.log_prob(volume[1:] + 7, volume[1:], second), found[1:])


@every_model
def test_samples_are_reproducible(case: Case) -> None:
    model, signal = case.make(0, 1.0), signals(0)
    extra = case.maps(model, signal, 0)
    one, two = (model.sample(signal, torch.Generator().manual_seed(5), extra) for _ in range(2))
    assert torch.equal(one, two)
