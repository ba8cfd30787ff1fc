"""Laws of KL schemes about their options and derivatives."""

import typing
from collections.abc import Iterator
from functools import partial
from typing import Any, ClassVar

import attrs
import pytest
import torch
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import Normal

from denoisplit.core.errors import SpecError
from denoisplit.core.network.interfaces import KLScheme, Rate
from denoisplit.core.network.latent import Level
from denoisplit.core.registry.declared_types import bare, is_sequence, is_union
from denoisplit.testing.derivatives import assert_derivative
from denoisplit.testing.option_effects import Trace, assert_options_have_effects
from denoisplit.testing.seen_layers import whole
from denoisplit.testing.strategies import (
    IMAGE_SIDE,
    image_side,
    level_shapes,
    levels,
    of_hierarchy,
    random,
    unit_levels,
)
from denoisplit.testing.suite import (
    ComponentTests,
    accepted,
    assert_close,
    assert_differs,
    assert_equal,
    examples,
    in_two_and_three_dimensions,
    tried,
)

_CHANNELS = 2
_BLEND = ", blended with "

PER_PIXEL = "nats per image pixel"
PER_PIXEL_AND_CHANNEL = "nats per image pixel and channel"
PER_SCALAR = "nats per latent scalar"
"""Units with a known meaning; a rate in another unit must use other words."""


class KLOptionTests(ComponentTests):
    """Laws of options that are recognised by their names or types."""

    kind: ClassVar[str] = "kl_scheme"

    def scheme(self, options: Any, *, free_bits: float | None = None) -> KLScheme:
        """Return a scheme; with other free bits than in the options, where it has such an option."""
        known = {field.alias for field in attrs.fields(type(options)) if field.init}
        if free_bits is not None and "free_bits" in known:
            options = attrs.evolve(options, free_bits=free_bits)
        made: KLScheme = accepted(lambda: self.target()(options))
        return whole(made)

    def drawn(self, data: st.DataObject, *, free_bits: float | None = None) -> KLScheme:
        """Draw a scheme."""
        return self.scheme(data.draw(self.options()), free_bits=free_bits)

    def counting(self) -> st.SearchStrategy[Any]:
        """Draw options under which every level counts: no weight of a level is zero."""
        names = [name for name in self._names() if name.endswith("weights")]

        def counts(options: Any) -> bool:
            numbers = [getattr(options, name) for name in names]
            return all(0 not in (one if isinstance(one, tuple) else (one,)) for one in numbers)

        return self.options().filter(counts)

    def rate(self, scheme: KLScheme, given_levels: tuple[Level, ...], rank: int, *, images: int = 1) -> Rate:
        """Return the rate of a batch; an image is as large as ``images`` of the strategy ``levels``."""
        pixels = images * image_side(rank) ** rank
        found: Rate = accepted(lambda: scheme(given_levels, image_pixels=pixels, channels=_CHANNELS))
        return found

    @in_two_and_three_dimensions
    @tried(3, data=st.data())
    def test_derivatives_are_those_of_differences(self, rank: int, data: st.DataObject) -> None:
        """With respect to posterior, prior and sample, in training."""
        scheme, drawn = self.drawn(data).train(), data.draw(levels(rank, batch=2))
        top = drawn[-1]
        prior = (top.prior.mean.expand_as(top.sample).clone(), top.prior.stddev.expand_as(top.sample).clone())

        def total(mean: Tensor, std: Tensor, other: Tensor, other_std: Tensor, sample: Tensor) -> Tensor:
            level = Level(Normal(mean, std), Normal(other, other_std), sample)
            return self.rate(scheme, (*drawn[:-1], level), rank).per_level

        posterior = (top.posterior.mean, top.posterior.stddev)
        assert_derivative(total, (*posterior, *prior, top.sample), "the derivative of the rate", step=1e-6)

    def test_several_numbers_are_one_per_level_finest_first(self) -> None:
        """A level's rate is as if all levels had its number, also where that is zero.

        There is one number per level, not per latent, where some levels have no latent.
        """
        values = divergences(2, 2)
        every = unit_levels(tuple(v / v.sum((1, 2, 3), keepdim=True) for v in values))
        known = {"image_pixels": IMAGE_SIDE**2, "channels": _CHANNELS}
        for option in self._per_level_options():
            for numbers in ([n + 2 for n in range(len(values))], [0, *range(3, len(values) + 2)]):
                several = self._with(option, tuple(numbers))
                for with_latent in ((0, 1, 2), (0, 2), (1,)):
                    found = every if len(with_latent) == len(every) else of_hierarchy(every, with_latent)
                    together = accepted(partial(several, found, **known)).per_level
                    for place, level in enumerate(with_latent):
                        alone = self._with(option, numbers[level])(found, **known).per_level
                        what = f"{option} of level {level} is another's, or not {numbers[level]}"
                        assert_close(together[place], alone[place], f"{what}, with latents at {with_latent}")
            for found in (every, of_hierarchy(every, (0, 2))):
                with pytest.raises(SpecError):
                    self._with(option, (1, 1))(found, **known)

    @pytest.mark.parametrize("numbers", [(0, 2), (1,), (2,)], ids=str)
    def test_levels_without_a_latent_have_no_rate(self, numbers: tuple[int, ...]) -> None:
        """There is one rate per latent, in the declared unit, and none where posteriors are priors."""
        scheme, nats = self.scheme(self.defaults(), free_bits=0.0), 0.7
        shapes = level_shapes(2, count=3)
        for scale in (0.0, nats):
            found = unit_levels(tuple(torch.full((1, *s), scale, dtype=torch.float64) for s in shapes))
            rate = self.rate(scheme, of_hierarchy(found, numbers), 2)
            assert rate.per_level.shape == (len(numbers),), f"the rates are {rate.per_level.tolist()}"
            assert_close(rate.per_level.sum(), rate.total, "the rates do not add up to the total")
            scalars = sum(torch.Size(shapes[number]).numel() for number in numbers)
            expected = known_rate(scheme.unit, scale, scalars)
            assert expected is None or abs(float(rate.total) - expected) <= 1e-9, (
                f"with latents at the levels {numbers} the rate is {float(rate.total)}, not {expected}"
            )

    @pytest.mark.parametrize("numbers", [(0, 1, 2, 3, 4, 5), (1, 3), (5,)], ids=str)
    def test_a_restricted_rate_is_that_of_latents_over_the_image(self, numbers: tuple[int, ...]) -> None:
        """An option ``restricted``: latents outside the image, which come with context, cost nothing.

        Level i has one position per ``2^(i+1)`` pixels; an option ``share`` is 1.
        """
        if "restricted" not in self._names():
            return
        changes = {"restricted": True, **({"share": 1.0} if "share" in self._names() else {})}
        scheme = self.scheme(attrs.evolve(self.defaults(), **changes), free_bits=0.0)
        known = {"image_pixels": IMAGE_SIDE**2, "channels": _CHANNELS}
        inside, beside = [], []
        for level in range(6):
            side = IMAGE_SIDE // 2 ** (level + 1)
            centre = torch.ones(1, 2, side, side, dtype=torch.float64)
            surround = 0 if level == 0 else max(1, side // 2)
            inside.append(torch.nn.functional.pad(centre, (surround,) * 4))
            beside.append(1 - inside[-1])
        for over, expected in ((inside, True), (beside, False)):
            rate = scheme(of_hierarchy(unit_levels(tuple(over)), numbers), **known)
            counted = [float(part) * IMAGE_SIDE**2 for part in rate.per_level]
            wanted = [float(inside[number].sum()) * expected for number in numbers]
            assert counted == pytest.approx(wanted), f"latents {numbers} count {counted} nats, not {wanted}"

    @tried(4, data=st.data())
    def test_a_closed_form_needs_no_sample(self, data: st.DataObject) -> None:
        """An option ``analytic`` says whether the divergence is that of the distributions or of a draw."""
        if "analytic" not in self._names():
            return
        drawn = data.draw(levels(2))
        moved = tuple(Level(one.posterior, one.prior, one.sample + 1) for one in drawn)
        for analytic in (True, False):
            options = attrs.evolve(self.defaults(), analytic=analytic)
            one, two = (self.rate(self.scheme(options, free_bits=0.0), x, 2).total for x in (drawn, moved))
            if analytic:
                assert_equal(two, one, "the closed form of the divergence depends on the sample")
            else:
                assert_differs(two, one, "a divergence of single samples does not depend on them")

    def test_a_blend_is_what_it_blends_at_its_ends(self) -> None:
        """An option ``share``: the weight of the first unit that ``unit`` names; the second has the rest."""
        if "share" not in self._names():
            return
        values, nats = level_shapes(2, count=3), 0.7
        found = unit_levels(tuple(torch.full((1, *s), nats, dtype=torch.float64) for s in values))
        scalars = sum(torch.Size(shape).numel() for shape in values)
        rates = []
        for share in (1.0, 0.0, 0.3):
            options = attrs.evolve(self.defaults(), share=share)
            scheme = self.scheme(options, free_bits=0.0)
            rates.append(float(self.rate(scheme, found, 2).total))
        first, _, second = scheme.unit.partition(_BLEND)
        for end, rate in ((first, rates[0]), (second, rates[1])):
            expected = known_rate(end, nats, scalars) or known_rate(f"nats per {end}", nats, scalars)
            assert expected is not None, f"the unit {scheme.unit!r} does not say what is blended with what"
            assert abs(rate - expected) < 1e-9, f"at its end of {end} the rate is {rate}, not {expected}"
        between = 0.3 * rates[0] + 0.7 * rates[1]
        assert abs(rates[2] - between) < 1e-9, "between its ends a blend is not their weighted mean"

    def test_every_option_has_an_effect(self) -> None:
        """On the weight, or on rates of several sizes, also with latents over the surround of the image."""
        found = []
        for seed, scale in ((0, 1e-4), (1, 1.0), (2, 30.0)):
            unit = unit_levels(tuple(scale * v for v in divergences(3 * seed + 2, 2)))
            found.append(
                tuple(
                    Level(x.posterior, x.prior, x.sample + random(n, *x.sample.shape))
                    for n, x in enumerate(unit)
                )
            )

        def trace(options: Any) -> Trace:
            scheme = self.target()(options)
            rates = [
                scheme(x, image_pixels=pixels, channels=_CHANNELS).per_level
                for x in found
                for pixels in (IMAGE_SIDE**2, (IMAGE_SIDE // 4) ** 2)
            ]
            for step in range(3):
                learn(scheme, step)
                rates.append(scheme(found[1], image_pixels=IMAGE_SIDE**2, channels=_CHANNELS).per_level)
            return (("weight", torch.tensor(float(scheme.weight))), *(("rate", one) for one in rates))

        assert_options_have_effects(examples(self.options(), 24), trace, unseen=self.unseen)

    def _per_level_options(self) -> Iterator[str]:
        """Yield the names of the options that are one number, or one per level."""
        hints = typing.get_type_hints(self.target().Options)
        for field in attrs.fields(self.target().Options):
            declared = bare(hints[field.name])
            members = [bare(one) for one in typing.get_args(declared)] if is_union(declared) else []
            if any(is_sequence(one) for one in members) and {int, float} & set(members):
                yield str(field.alias)

    def _names(self) -> set[str]:
        return {field.alias for field in attrs.fields(self.target().Options) if field.init}

    def _with(self, option: str, value: Any) -> KLScheme:
        made: KLScheme = self.target()(attrs.evolve(self.defaults(), **{option: value}))
        return made


def known_rate(unit: str, nats: float, scalars: int, pixels: int = IMAGE_SIDE**2) -> float | None:
    """Return the rate of images of so many pixels with ``nats`` per latent scalar; None for other units."""
    known = {PER_PIXEL: scalars / pixels, PER_SCALAR: 1.0}
    known[PER_PIXEL_AND_CHANNEL] = known[PER_PIXEL] / _CHANNELS
    return nats * known[unit] if unit in known else None


def learn(scheme: KLScheme, step: int) -> None:
    """Let a scheme observe a training step, whose distortion and rate depend on its number alone."""
    distortion, rate = (5 * random(7 * step + n, 1).squeeze() for n in range(2))
    with torch.no_grad():
        accepted(lambda: scheme.observe(step=step, distortion=distortion, rate=rate))


def divergences(seed: int, rank: int) -> tuple[Tensor, ...]:
    """Return positive numbers for every latent scalar of two images, nats per scalar."""
    count = 1 + seed % 3
    return tuple(random(seed + i, 2, *s).abs() + 0.01 for i, s in enumerate(level_shapes(rank, count=count)))
