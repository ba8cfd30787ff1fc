"""Conformance suite for KL schemes."""

import math
from collections.abc import Callable

import torch
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import Normal

from denoisplit.core.assessment.effective_weights import effective_weights
from denoisplit.core.network.interfaces import KLScheme
from denoisplit.core.network.latent import Level, divergence
from denoisplit.core.network.objective import kl_weight
from denoisplit.testing.kl_scheme_laws.kl_scheme_options import divergences, known_rate
from denoisplit.testing.kl_scheme_laws.kl_scheme_states import KLStateTests
from denoisplit.testing.strategies import (
    IMAGE_SIDE,
    image_side,
    level_counts,
    level_shapes,
    levels,
    random,
    unit_levels,
)
from denoisplit.testing.suite import accepted, assert_close, in_two_and_three_dimensions, tried

_DRAWS = 4000
_CHANNELS = 2
_BATCH = 3


class KLSchemeTests(KLStateTests):
    """Laws of KL schemes: a rate of divergences that is never negative, in the unit that it declares.

    An option ``free_bits`` is recognised by its name: laws that a floor would break are examined without it.
    """

    @in_two_and_three_dimensions
    @tried(6, data=st.data(), seed=st.integers(0, 99))
    def test_the_rate_is_never_negative_and_least_where_posterior_is_prior(
        self, rank: int, data: st.DataObject, seed: int
    ) -> None:
        """Any divergence adds to the rate; without free bits the rate is zero only if q = p."""
        options = data.draw(self.counting())
        scheme, free = self.scheme(options), self.scheme(options, free_bits=0.0)
        values = divergences(seed, rank)
        none = unit_levels(tuple(0 * v for v in values))
        some = unit_levels(values)
        floor, found = (float(self.rate(scheme, x, rank).total) for x in (none, some))
        assert floor >= 0, f"the rate is {floor:.3g} where posterior and prior are equal"
        assert found >= floor, f"the rate falls to {found:.3g} as the posterior leaves the prior"
        zero = float(self.rate(free, none, rank).total)
        assert zero == 0, f"without free bits the rate is {zero:.3g} where posterior and prior are equal"
        for index in range(len(values)):
            moved = tuple(v * (i == index) for i, v in enumerate(values))
            rate = self.rate(free, unit_levels(moved), rank)
            assert float(rate.total) > 0, f"a divergence at level {index} leaves the rate at zero"
            own = float(rate.per_level[index])
            assert math.isclose(own, float(rate.total)), f"a divergence of level {index} counts elsewhere"

    @in_two_and_three_dimensions
    @tried(3, data=st.data(), seed=st.integers(0, 99))
    def test_the_rate_is_that_of_the_divergences(self, rank: int, data: st.DataObject, seed: int) -> None:
        """Nothing else about posterior and prior counts; single samples give it on average."""
        scheme = self.drawn(data, free_bits=0.0)
        posterior, prior = (_normal(seed + n, 1, 2, *(2,) * rank) for n in (0, 50))
        mean, std = (x.expand(_DRAWS, *x.shape[1:]) for x in (posterior.mean, posterior.stddev))
        draws = mean + std * random(seed, *mean.shape)
        one = Level(posterior, prior, posterior.mean)
        exact = unit_levels((divergence(one, analytic=True),))
        pixels = 4**rank
        expected = accepted(lambda: scheme(exact, image_pixels=pixels, channels=_CHANNELS)).total
        parts = [Level(Normal(mean[p], std[p]), prior, draws[p]) for p in torch.arange(_DRAWS).chunk(20)]
        singles = [float(scheme((x,), image_pixels=pixels, channels=_CHANNELS).total) for x in parts]
        found = torch.tensor(singles, dtype=torch.float64)
        error = 6 * float(found.std()) / math.sqrt(len(singles)) + 1e-9 * float(expected.abs())
        off = abs(float(found.mean() - expected))
        assert off <= error, f"the rate is {found.mean():.4g}, that of the divergences {float(expected):.4g}"

    @in_two_and_three_dimensions
    @tried(4, data=st.data())
    def test_levels_add_up(self, rank: int, data: st.DataObject) -> None:
        """``per_level`` has one number per level, finest first, and ``total`` is their sum."""
        scheme, drawn = self.drawn(data), data.draw(levels(rank))
        rate = self.rate(scheme, drawn, rank)
        assert rate.per_level.shape == (len(drawn),), f"per_level has the shape {tuple(rate.per_level.shape)}"
        assert rate.total.ndim == 0, "total is no single number"
        assert_close(rate.per_level.sum(), rate.total, "the levels do not add up to the total")
        assert bool(rate.per_level.isfinite().all()), "a rate is not finite"

    @in_two_and_three_dimensions
    @tried(4, data=st.data())
    def test_order_and_duplicates_of_a_batch_do_not_matter(self, rank: int, data: st.DataObject) -> None:
        """The rate is the mean of those of the images of a batch, free bits included."""
        scheme, drawn = self.drawn(data), data.draw(levels(rank, batch=_BATCH))
        apart = tuple(_image_by_image(level) for level in drawn)
        alone = [self.rate(scheme, _changed(apart, _picked(0, [n])), rank).per_level for n in range(_BATCH)]
        together = self.rate(scheme, apart, rank).per_level
        assert_close(together, torch.stack(alone).mean(0), "the rate is not the mean over the images")
        rate = self.rate(scheme, drawn, rank).per_level
        for what, order in (("another order", [2, 0, 1]), ("a duplicated batch", [0, 1, 2, 0, 1, 2])):
            other = self.rate(scheme, _changed(drawn, _picked(0, order)), rank).per_level
            assert_close(other, rate, f"{what} has another rate")

    @in_two_and_three_dimensions
    @tried(4, data=st.data())
    def test_order_of_latent_channels_does_not_matter(self, rank: int, data: st.DataObject) -> None:
        """No latent channel is special."""
        scheme, drawn = self.drawn(data), data.draw(levels(rank))
        turned = tuple(
            _changed((level,), _picked(1, list(reversed(range(level.sample.shape[1])))))[0] for level in drawn
        )
        rate, other = (self.rate(scheme, x, rank).per_level for x in (drawn, turned))
        assert_close(other, rate, "another order of the latent channels has another rate")

    @in_two_and_three_dimensions
    @tried(4, data=st.data(), copies=st.sampled_from([(1, 2), (2, 3), (3, 1)]))
    def test_a_tiled_image_has_the_same_rate(
        self, rank: int, data: st.DataObject, copies: tuple[int, int]
    ) -> None:
        """The rate is per pixel or per latent: an image repeated side by side has that of one copy."""
        scheme, drawn = self.drawn(data, free_bits=0.0), data.draw(levels(rank))
        repeats = (1,) * rank + copies
        tiled = _changed(drawn, lambda values: values.repeat(repeats[-rank - 2 :]))
        rate = self.rate(scheme, drawn, rank).per_level
        other = self.rate(scheme, tiled, rank, images=math.prod(copies)).per_level
        assert_close(other, rate, "an image of copies has another rate than one copy")

    @in_two_and_three_dimensions
    @tried(3, data=st.data(), nats=st.floats(0.125, 2))
    def test_the_rate_is_in_the_declared_unit(self, rank: int, data: st.DataObject, nats: float) -> None:
        """With default weights, known nats per latent scalar give the rate that the unit implies."""
        scheme = self.scheme(self.defaults(), free_bits=0.0)
        shapes = level_shapes(rank, count=data.draw(level_counts(rank)))
        given_levels = unit_levels(tuple(torch.full((1, *s), nats, dtype=torch.float64) for s in shapes))
        scalars, pixels = sum(math.prod(shape) for shape in shapes), image_side(rank) ** rank
        expected = known_rate(scheme.unit, nats, scalars, pixels)
        assert scheme.unit.strip(), "no unit is declared"
        if expected is not None:
            found = float(self.rate(scheme, given_levels, rank).total)
            assert math.isclose(found, expected, rel_tol=1e-9), (
                f"the rate is {found:.6g}, in {scheme.unit} it is {expected:.6g}. What multiplies the whole "
                f"rate is the option weight, which the training applies"
            )

    @in_two_and_three_dimensions
    @tried(4, data=st.data(), seed=st.integers(0, 99), free_bits=st.floats(0.5, 50))
    def test_free_bits_are_a_floor_and_nothing_else(
        self, rank: int, data: st.DataObject, seed: int, free_bits: float
    ) -> None:
        """They never lower the rate, change nothing far above, and weaken the pull below."""
        options = data.draw(self.options())
        scheme, free = self.scheme(options, free_bits=free_bits), self.scheme(options, free_bits=0.0)
        values = divergences(seed, rank)
        for scale in (1e-9, 1.0, 1e4):
            given_levels = unit_levels(tuple(scale * v for v in values))
            with_floor, without = (self.rate(x, given_levels, rank).per_level for x in (scheme, free))
            assert bool((with_floor >= without).all()), "the rate with free bits is below that without"
            if scale > 1:
                assert_close(with_floor, without, "free bits change the rate far above them")
        none = unit_levels(tuple(0 * v for v in values))
        usual = self.scheme(self.defaults(), free_bits=free_bits)
        asked = hasattr(self.defaults(), "free_bits")
        assert not asked or float(self.rate(usual, none, rank).total) > 0, "free bits have no effect"
        pulls = [_pull(x, tuple(1e-9 * v for v in values), rank) for x in (scheme, free)]
        floored = self.rate(scheme, none, rank).per_level > 0
        weaker = pulls[0] < pulls[1]
        assert bool((weaker | ~floored).all()), "free bits do not weaken the gradient below them"

    @in_two_and_three_dimensions
    @tried(3, data=st.data(), seed=st.integers(0, 99))
    def test_the_gradient_leads_to_the_prior(self, rank: int, data: st.DataObject, seed: int) -> None:
        """A step against the gradient brings the posterior nearer to the prior, at every level."""
        scheme = self.scheme(data.draw(self.counting()), free_bits=0.0)
        pull = _pull(scheme, divergences(seed, rank), rank)
        assert bool((pull > 0).all()), f"the pull of the levels is {pull.tolist()}"

    @tried(3, data=st.data())
    def test_a_network_without_levels_has_no_rate(self, data: st.DataObject) -> None:
        """Zero, and an empty list of levels."""
        rate = self.rate(self.drawn(data), (), 2)
        assert float(rate.total) == 0, f"the rate of no levels is {float(rate.total)}"
        assert rate.per_level.shape == (0,), "there are levels in the rate of none"

    @tried(3, data=st.data(), start=st.integers(0, 5), duration=st.integers(0, 20))
    def test_a_warm_up_is_monotone_and_ends_at_the_weight(
        self, data: st.DataObject, start: int, duration: int
    ) -> None:
        """From 0 to the weight of the scheme, and never beyond."""
        target = self.drawn(data).weight
        ramp = [kl_weight(n, target=target, start=start, duration=duration) for n in range(40)]
        assert ramp == sorted(ramp), "the weight falls during the warm-up"
        assert ramp[0] >= 0, f"the warm-up begins at {ramp[0]}"
        assert ramp[-1] == target, f"the warm-up ends at {ramp[-1]}, the weight is {target}"

    @tried(3, data=st.data())
    def test_the_weight_is_that_of_the_options_and_effective_weights_follow(
        self, data: st.DataObject
    ) -> None:
        """A warm-up ends at ``Options.weight``; effective weights are finite and not all zero."""
        options = data.draw(self.options())
        scheme = self.scheme(options)
        told = getattr(options, "weight", 1.0)
        assert scheme.weight == told, f"the weight is {scheme.weight}, not {told}"
        shapes = level_shapes(2, count=2)
        found = accepted(
            lambda: effective_weights(scheme, shapes, image_pixels=IMAGE_SIDE**2, channels=_CHANNELS)
        )
        assert len(found) == len(shapes), f"{len(found)} effective weights for {len(shapes)} levels"
        assert all(0 <= w < math.inf for w in found), f"effective weights are {found}"
        assert any(found) or told == 0, f"effective weights are {found}"


def _normal(seed: int, *shape: int) -> Normal:
    return Normal(random(seed, *shape), (0.5 * random(seed + 500, *shape)).exp())


def _pull(scheme: KLScheme, values: tuple[Tensor, ...], rank: int) -> Tensor:
    """Return the change of the rate as the posterior of each level leaves the prior [levels]."""
    scales = torch.ones(len(values), dtype=torch.float64, requires_grad=True)
    unit = unit_levels(values)
    moved = []
    for scale, level in zip(scales, unit, strict=True):
        mean = scale * level.posterior.mean
        moved.append(Level(Normal(mean, level.posterior.stddev), level.prior, mean))
    total = accepted(
        lambda: scheme(tuple(moved), image_pixels=image_side(rank) ** rank, channels=_CHANNELS)
    ).total
    if not total.requires_grad:
        return torch.zeros_like(scales)
    (gradient,) = torch.autograd.grad(total, scales)
    return gradient


def _image_by_image(level: Level) -> Level:
    """Make some images far from the prior and some near to it, so that free bits affect a part of them."""
    q, p = level.posterior, level.prior
    shape = (-1, *(1,) * (level.sample.ndim - 1))
    share = torch.tensor([1e-3, 1.0, 30.0], dtype=torch.float64)[: len(q.mean)].view(shape)
    near = Normal(p.mean + share * (q.mean - p.mean), p.stddev.expand_as(q.stddev))
    return Level(near, p, near.mean)


def _picked(axis: int, order: list[int]) -> Callable[[Tensor], Tensor]:
    return lambda values: values.index_select(axis, torch.tensor(order))


def _changed(given_levels: tuple[Level, ...], change: Callable[[Tensor], Tensor]) -> tuple[Level, ...]:
    """Return levels with every tensor, broadcast to the shape of the sample, changed in the same way."""

    def both(normal: Normal, like: Tensor) -> Normal:
        return Normal(change(normal.mean.expand_as(like)), change(normal.stddev.expand_as(like)))

    return tuple(
        Level(both(x.posterior, x.sample), both(x.prior, x.sample), change(x.sample)) for x in given_levels
    )
