"""Laws of KL divergences and of the schemes that turn them into a rate."""

import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from denoisplit.core.network.interfaces import KLScheme
from denoisplit.core.network.latent import Level, divergence, level_sums
from denoisplit.plugins.kl_schemes.denoisplit import DenoiSplitKL
from denoisplit.plugins.kl_schemes.elbo import ElboKL
from denoisplit.plugins.kl_schemes.microsplit import MicroSplitKL
from denoisplit.plugins.kl_schemes.musplit import MuSplitKL
from denoisplit.plugins.kl_schemes.per_level import PerLevelKL

Maker = Callable[[float, float, bool], KLScheme]


def denoisplit(free_bits: float = 0.0, weight: float = 1.0, analytic: bool = True) -> KLScheme:
    return DenoiSplitKL(DenoiSplitKL.Options(free_bits=free_bits, weight=weight, analytic=analytic))


def musplit(free_bits: float = 0.0, weight: float = 1.0, analytic: bool = True) -> KLScheme:
    return MuSplitKL(MuSplitKL.Options(free_bits=free_bits, weight=weight, analytic=analytic))


def elbo(free_bits: float = 0.0, weight: float = 1.0, analytic: bool = True) -> KLScheme:
    return ElboKL(ElboKL.Options(free_bits=free_bits, weight=weight, analytic=analytic))


def per_level(free_bits: float = 0.0, weight: float = 1.0, analytic: bool = True) -> KLScheme:
    return PerLevelKL(PerLevelKL.Options(free_bits=free_bits, weight=weight, analytic=analytic))


def microsplit(free_bits: float = 0.0, weight: float = 1.0, analytic: bool = True) -> KLScheme:
    return MicroSplitKL(MicroSplitKL.Options(free_bits=free_bits, weight=weight, analytic=analytic))


def floored_part_of_microsplit(
    free_bits: float = 0.0, weight: float = 1.0, analytic: bool = True
) -> KLScheme:
    options = MicroSplitKL.Options(share=1.0, free_bits=free_bits, weight=weight, analytic=analytic)
    return MicroSplitKL(options)


every_scheme = pytest.mark.parametrize("make", [denoisplit, musplit, elbo, per_level, microsplit])
# The other part of microsplit has no floor.
every_floor = pytest.mark.parametrize(
    "make", [denoisplit, musplit, elbo, per_level, floored_part_of_microsplit]
)
SHAPES = ((4, 8, 8), (3, 4, 4), (2, 2, 2))
PIXELS = 16 * 16

seeds = st.integers(0, 10**6)


def normal(shape: tuple[int, ...], generator: torch.Generator) -> Normal:
    mean, raw = torch.randn(2, *shape, generator=generator, dtype=torch.float64)
    return Normal(mean, (0.5 * raw).exp())


def levels(seed: int, batch: int = 3) -> tuple[Level, ...]:
    generator = torch.Generator().manual_seed(seed)
    made = []
    for index, shape in enumerate(SHAPES):
        posterior = normal((batch, *shape), generator)
        prior = normal((1 if index == len(SHAPES) - 1 else batch, *shape), generator)
        sample = (
            posterior.mean
            + posterior.stddev * torch.randn(posterior.mean.shape, generator=generator).double()
        )
        made.append(Level(posterior, prior, sample))
    return tuple(made)


def reshaped(given_levels: tuple[Level, ...], change: Callable[[Tensor], Tensor]) -> tuple[Level, ...]:
    def both(distribution: Normal, like: Tensor) -> Normal:
        return Normal(change(distribution.mean.expand_as(like)), change(distribution.stddev.expand_as(like)))

    return tuple(
        Level(both(x.posterior, x.sample), both(x.prior, x.sample), change(x.sample)) for x in given_levels
    )


@settings(max_examples=30)
@given(seed=seeds)
def test_analytic_divergence_is_positive_and_that_of_torch(seed: int) -> None:
    for level in levels(seed):
        found = divergence(level, analytic=True)
        assert (found >= 0).all()
        torch.testing.assert_close(found, kl_divergence(level.posterior, level.prior))


@every_scheme
def test_rate_is_zero_only_if_posterior_and_prior_are_equal(make: Maker) -> None:
    scheme = make(0.0, 1.0, True)
    same = tuple(Level(x.posterior, x.posterior, x.sample) for x in levels(0))
    assert float(scheme(same, image_pixels=PIXELS, channels=2).total) == 0
    first = same[0]
    moved = Level(Normal(first.posterior.mean + 1e-3, first.posterior.stddev), first.prior, first.sample)
    rate = scheme((moved, *same[1:]), image_pixels=PIXELS, channels=2)
    assert float(rate.per_level[0]) > 0
    assert rate.per_level[1:].tolist() == [0, 0]


def test_single_sample_estimate_agrees_with_the_closed_form_on_average() -> None:
    generator = torch.Generator().manual_seed(0)
    posterior, prior = normal((1, 6), generator), normal((1, 6), generator)
    sample = posterior.mean + posterior.stddev * torch.randn(
        400_000, 6, generator=generator, dtype=torch.float64
    )
    estimates = divergence(Level(posterior, prior, sample), analytic=False)
    error = estimates.std(0) / math.sqrt(len(estimates))
    exact = divergence(Level(posterior, prior, sample), analytic=True)[0]
    assert ((estimates.mean(0) - exact).abs() < 5 * error).all()


@every_scheme
@settings(max_examples=20)
@given(seed=seeds, analytic=st.booleans(), free_bits=st.sampled_from([0.0, 0.3, 20.0]))
def test_levels_add_up_and_batch_order_or_duplicates_change_nothing(
    make: Maker, seed: int, analytic: bool, free_bits: float
) -> None:
    scheme, given_levels = make(free_bits, 1.0, analytic), levels(seed)
    rate = scheme(given_levels, image_pixels=PIXELS, channels=2)
    assert rate.per_level.shape == (len(SHAPES),)
    torch.testing.assert_close(rate.per_level.sum(), rate.total)
    for order in ([2, 0, 1], [0, 1, 2, 0, 1, 2]):
        other = scheme(
            reshaped(given_levels, partial(torch.index_select, dim=0, index=torch.tensor(order))),
            image_pixels=PIXELS,
            channels=2,
        )
        torch.testing.assert_close(other.per_level, rate.per_level)


@every_scheme
@settings(max_examples=20)
@given(seed=seeds, analytic=st.booleans())
def test_rate_of_a_tiled_image_is_the_same(make: Maker, seed: int, analytic: bool) -> None:
    scheme, given_levels = make(0.0, 1.0, analytic), levels(seed)
    rate = scheme(given_levels, image_pixels=PIXELS, channels=2)
    tiled = reshaped(given_levels, lambda p: p.repeat(1, 1, 2, 3))
    torch.testing.assert_close(scheme(tiled, image_pixels=6 * PIXELS, channels=2).per_level, rate.per_level)


@every_floor
@settings(max_examples=20)
@given(seed=seeds, free_bits=st.floats(1e-3, 200))
def test_free_bits_are_a_floor(make: Maker, seed: int, free_bits: float) -> None:
    given_levels = levels(seed)
    free = make(0.0, 1.0, False)(given_levels, image_pixels=PIXELS, channels=2).per_level
    floored = make(free_bits, 1.0, False)(given_levels, image_pixels=PIXELS, channels=2)
    everything = make(1e9, 1.0, True)(given_levels, image_pixels=PIXELS, channels=2).per_level
    assert (floored.per_level >= free - 1e-12).all()
    assert (floored.per_level >= everything * free_bits / 1e9 - 1e-12).all()


@every_floor
def test_gradient_below_the_floor_is_zero(make: Maker) -> None:
    mean = torch.full((2, 1, 4, 4), 0.01, dtype=torch.float64)
    mean[1] = 3.0
    mean.requires_grad_()
    unit = torch.ones_like(mean)
    level = Level(Normal(mean, unit), Normal(torch.zeros_like(unit), unit), torch.zeros_like(unit))
    make(0.5, 1.0, True)((level,), image_pixels=64, channels=1).total.backward()
    assert mean.grad is not None
    assert (mean.grad[0] == 0).all()
    assert (mean.grad[1] > 0).all()


def test_units_and_effective_weights() -> None:
    # method section 3.6, and the true ELBO as half the rate of denoiSplit for two channels
    sums = [(128, 64, 0.1), (128, 32, 0.2), (128, 16, 0.4), (128, 8, 0.8)]
    made = []
    for channels, side, per_scalar in sums:
        mean = torch.full((1, channels, side, side), math.sqrt(2 * per_scalar), dtype=torch.float64)
        unit = torch.ones_like(mean)
        made.append(Level(Normal(mean, unit), Normal(torch.zeros_like(mean), unit), mean))
    for make, expected in [
        (denoisplit, [3.2, 1.6, 0.8, 0.4]),
        (elbo, [1.6, 0.8, 0.4, 0.2]),
        (musplit, [0.025, 0.05, 0.1, 0.2]),
        (per_level, [1.6, 0.8, 0.4, 0.2]),
        (microsplit, [2.8825, 1.445, 0.73, 0.38]),
    ]:
        rate = make(0.0, 1.0, True)(tuple(made), image_pixels=128**2, channels=2)
        torch.testing.assert_close(rate.per_level, torch.tensor(expected, dtype=torch.float64))


@every_scheme
def test_weight_no_levels_and_wrong_options(make: Maker) -> None:
    assert make(0.0, 0.25, True).weight == 0.25
    rate = make(0.0, 1.0, True)((), image_pixels=PIXELS, channels=2)
    assert float(rate.total) == 0
    assert rate.per_level.shape == (0,)
    with pytest.raises(ValueError, match="'free_bits' must be >= 0"):
        make(-1.0, 1.0, True)
    with pytest.raises(ValueError, match="'weight' must be >= 0"):
        make(0.0, -1.0, True)


def test_only_the_denoisplit_rate_has_free_bits_unless_asked() -> None:
    assert DenoiSplitKL.Options().free_bits == 1.0
    assert MuSplitKL.Options().free_bits == ElboKL.Options().free_bits == 0.0


def test_sums_of_large_maps_keep_precision_in_float32() -> None:
    generator = torch.Generator().manual_seed(0)
    shape = (1, 32, 256, 256)
    posterior, prior = normal(shape, generator), normal(shape, generator)
    level = Level(posterior, prior, posterior.mean)
    single = Level(
        Normal(posterior.mean.float(), posterior.stddev.float()),
        Normal(prior.mean.float(), prior.stddev.float()),
        posterior.mean.float(),
    )
    exact, found = level_sums((level,), analytic=True), level_sums((single,), analytic=True)
    torch.testing.assert_close(found.double(), exact, rtol=1e-6, atol=0)
