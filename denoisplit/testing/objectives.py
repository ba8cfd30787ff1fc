"""Conformance suite for objectives."""

import itertools
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, ClassVar, Final

import attrs
import pytest
import torch
from hypothesis import strategies as st
from torch import Tensor

from denoisplit.core.errors import SpecError
from denoisplit.core.images.mixing import Mixing, mix
from denoisplit.core.network.interfaces import IntensityStats
from denoisplit.core.network.objective_terms import ObjectiveTerm
from denoisplit.testing.global_generators import leaving_generators_alone
from denoisplit.testing.option_effects import Trace, assert_options_have_effects
from denoisplit.testing.strategies import seeds
from denoisplit.testing.suite import (
    ComponentTests,
    assert_close,
    examples,
    in_two_and_three_dimensions,
    tried,
)

_MEANS: Final = (40.0, 90.0, 15.0)
_STDS: Final = (30.0, 80.0, 20.0)
_FAR: Final = 30.0
"""Times as large a signal: some terms are about the brightest or darkest light alone."""
_OFFSET: Final = 7.0

_OF_THE_MIXTURE: Final = {"mixture_consistency"}
"""Built-in objectives that are zero only where the channels add up to the mixed image."""

Batch = tuple[Tensor, Tensor, Tensor]
"""Signal and targets [b c (z) y x], mixed [b 1 (z) y x], counts."""

channels_of_mixed = pytest.mark.parametrize(
    ("channels", "mode"), [(2, "mean"), (3, "sum"), (1, "mean")], ids=["two", "three", "one"]
)


class ObjectiveTests(ComponentTests):
    """Laws of objectives: a scalar with a gradient to the signal, a mean over images, without a unit."""

    kind: ClassVar[str] = "objective"

    def objective(
        self, options: Any, channels: int = 2, mode: Any = "mean", scale: float = 1
    ) -> ObjectiveTerm:
        """Return the component; skip the test where it refuses this number of channels or this mixture."""
        statistics = IntensityStats(
            mixed_mean=60.0 * scale,
            mixed_std=50.0 * scale,
            target_mean=tuple(mean * scale for mean in _MEANS[:channels]),
            target_std=tuple(std * scale for std in _STDS[:channels]),
        )
        try:
            made = self.target()(
                options, statistics=statistics, mixing=Mixing(mode=mode, offset=_OFFSET * scale)
            )
        except SpecError as error:
            pytest.skip(str(error))
        assert isinstance(made, ObjectiveTerm), f"not an ObjectiveTerm (got {type(made)})"
        return made

    def batch(self, seed: int, channels: int = 2, *, rank: int = 2) -> Batch:
        """Return two images, in float64; some counts are below zero."""
        generator = torch.Generator().manual_seed(seed)
        sides = (2, channels, *(2, 5, 6)[-rank:])

        def drawn(shape: tuple[int, ...]) -> Tensor:
            return torch.randn(shape, generator=generator, dtype=torch.float64)

        wide = (1, channels, *(1,) * rank)
        mean, std = (torch.tensor(x[:channels], dtype=torch.float64).view(wide) for x in (_MEANS, _STDS))
        mixed = 60 + 50 * drawn((2, 1, *sides[2:]))
        return mean + std * drawn(sides), mean + std * drawn(sides), mixed

    @in_two_and_three_dimensions
    @channels_of_mixed
    @tried(2, data=st.data(), seed=seeds())
    def test_the_term_is_a_scalar_with_a_gradient_to_the_signal(
        self, rank: int, channels: int, mode: str, data: st.DataObject, seed: int
    ) -> None:
        """Finite, in the precision of the signal, and the derivative is that of differences."""
        objective = self.objective(data.draw(self.options()), channels, mode)
        signal, targets, mixed = self.batch(seed, channels, rank=rank)
        value = objective(signal.requires_grad_(), targets, mixed)
        assert value.shape == (), f"the term has the shape {tuple(value.shape)}"
        for dtype in (torch.float32, signal.dtype):
            found = objective(*(x.detach().to(dtype) for x in (signal, targets, mixed))).dtype
            assert found == dtype, f"a signal in {dtype} gives a term in {found}"
        assert bool(torch.isfinite(value)), "the term is not finite"
        assert value.requires_grad, "no gradient reaches the signal"
        (gradient,) = torch.autograd.grad(value, signal)
        step = torch.randn(signal.shape, generator=torch.Generator().manual_seed(seed), dtype=signal.dtype)
        with torch.no_grad():
            size = 1e-5
            ahead, behind = (objective(signal + sign * size * step, targets, mixed) for sign in (1, -1))
        expected = (ahead - behind) / (2 * size)
        scale = float(gradient.abs().sum()) + 1e-12
        assert abs(float((gradient * step).sum() - expected)) < 1e-5 * scale + 1e-9, (
            "the gradient is not that of the term"
        )

    def test_the_signal_matters(self) -> None:
        """Some signal has a gradient that is not zero."""
        objective = self.objective(self.defaults())
        assert set(self._reached(objective, 2)), "the gradient to the signal is zero"

    def _reached(self, objective: ObjectiveTerm, channels: int) -> Iterator[int]:
        """Yield channels in which some gradient is not zero, also that of signals far beyond the usual."""
        for seed, times in itertools.product(range(4), (1, _FAR)):
            signal, targets, mixed = self.batch(seed, channels)
            signal = (times * signal).requires_grad_()
            (gradient,) = torch.autograd.grad(objective(signal, targets, mixed), signal)
            yield from (n for n in range(channels) if float(gradient[:, n].abs().max()) > 0)

    @pytest.mark.parametrize(("channels", "mode"), [(2, "mean"), (3, "sum")], ids=["two", "three"])
    def test_every_channel_matters(self, channels: int, mode: str) -> None:
        """Each has a gradient that is not zero, with some options: these may choose channels."""
        reached: set[int] = set()
        refused = True
        for options in (self.defaults(), *examples(self.options())):
            with suppress(pytest.skip.Exception):
                objective, refused = self.objective(options, channels, mode), False
                reached |= set(self._reached(objective, channels))
            if len(reached) == channels:
                return
        if refused:
            pytest.skip(f"it refuses {channels} channels")
        missing = ", ".join(str(n) for n in range(channels) if n not in reached)
        pytest.fail(
            f"of {channels} channels, the term does not depend on {missing} with any options: let it look at "
            f"all, or have an option that chooses"
        )

    @tried(3, data=st.data(), seed=seeds())
    def test_the_term_is_a_mean_over_images(self, data: st.DataObject, seed: int) -> None:
        """Their order does not matter, and a batch twice over has the same term."""
        objective, batch = self.objective(data.draw(self.options())), self.batch(seed)
        expected = objective(*batch)
        assert_close(objective(*(x.flip(0) for x in batch)), expected, "images in another order")
        twice = objective(*(torch.cat([x, x]) for x in batch))
        assert_close(twice, expected, "a batch twice over has another term")

    @tried(3, data=st.data(), seed=seeds(), scale=st.sampled_from([0.01, 40.0]))
    def test_the_term_has_no_unit(self, data: st.DataObject, seed: int, scale: float) -> None:
        """Images, statistics and offset in other units change nothing: it stands beside nats per pixel."""
        options, batch = data.draw(self.options()), self.batch(seed)
        expected = self.objective(options)(*batch)
        found = self.objective(options, scale=scale)(*(scale * x for x in batch))
        assert_close(found, expected, "images in other units have another term", rtol=1e-6)

    def is_of_the_mixture(self) -> bool:
        """Whether the term is zero only where the channels add up to the mixed image."""
        return self.name() in _OF_THE_MIXTURE

    @in_two_and_three_dimensions
    @channels_of_mixed
    @tried(2, data=st.data(), seed=seeds())
    def test_a_term_of_the_mixture_is_zero_where_the_channels_add_up(
        self, rank: int, channels: int, mode: Any, data: st.DataObject, seed: int
    ) -> None:
        """And above zero where the mixed image is brighter or darker than they are together."""
        if not self.is_of_the_mixture():
            pytest.skip("it is no term of the mixture")
        objective = self.objective(data.draw(self.options()), channels, mode)
        signal, targets, _ = self.batch(seed, channels, rank=rank)
        mixed = torch.from_numpy(mix(signal.numpy(), Mixing(mode=mode, offset=_OFFSET), axis=1))
        none = float(objective(signal, targets, mixed))
        assert abs(none) < 1e-12, f"the term is {none:.3g} where the channels add up to the mixed image"
        for more in (-5.0, 5.0):
            assert float(objective(signal, targets, mixed + more)) > 0, (
                f"the term is not above zero where the mixed image has {more:+g} counts"
            )

    @tried(3, data=st.data(), seed=seeds())
    def test_the_batch_is_looked_at_only(self, data: st.DataObject, seed: int) -> None:
        """Nothing is overwritten, remembered or drawn."""
        objective, batch = self.objective(data.draw(self.options())), self.batch(seed)
        kept = [x.clone() for x in batch]
        with leaving_generators_alone("the term"):
            first = objective(*batch)
        assert all(torch.equal(one, two) for one, two in zip(batch, kept, strict=True)), (
            "the batch is overwritten"
        )
        objective(*self.batch(seed + 1))
        assert torch.equal(objective(*batch), first), "a second time gives another term"

    @tried(5, data=st.data())
    def test_it_has_a_weight_and_nothing_to_train(self, data: st.DataObject) -> None:
        """The weight is that of the options; parameters would not be trained."""
        options = data.draw(self.options())
        objective = self.objective(options)
        assert objective.weight == options.weight, f"weight {objective.weight} instead of {options.weight}"
        batch = self.batch(0)
        twice = self.objective(attrs.evolve(options, weight=2 * options.weight + 1))
        assert_close(twice(*batch), objective(*batch), "the weight is in the term, too")
        assert not [p for p in objective.parameters() if p.requires_grad], "it has trainable parameters"

    def test_every_option_has_an_effect(self) -> None:
        """On the weighted term, or on its gradient, of some batch."""

        def trace(options: Any) -> Trace:
            objective = self.objective(options)
            found = []
            for seed in range(2):
                signal, targets, mixed = self.batch(seed)
                value = objective.weight * objective(signal.requires_grad_(), targets, mixed)
                (gradient,) = torch.autograd.grad(value, signal)
                found += [(f"term {seed}", value.detach()), (f"gradient {seed}", gradient)]
            return tuple(found)

        assert_options_have_effects(examples(self.options()), trace, unseen=self.unseen)
