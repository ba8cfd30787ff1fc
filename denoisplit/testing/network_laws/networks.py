"""Laws that encoders and decoders share: training mode, derivatives, saving, options."""

import copy
import functools
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import attrs
import pytest
import torch
from torch import Tensor, nn

from denoisplit.core.errors import SpecError
from denoisplit.testing.derivatives import assert_derivative
from denoisplit.testing.network_laws.training_mode import (
    assert_dropout_is_for_training,
    assert_evaluation_changes_nothing,
    assert_training_is_evaluation,
    still_training,
    train_a_step,
)
from denoisplit.testing.option_effects import Trace, assert_options_have_effects, covering
from denoisplit.testing.suite import (
    RANKS,
    ComponentTests,
    assert_close,
    assert_equal,
    copied,
    examples,
    in_two_and_three_dimensions,
    takes,
)

_COMBINED = 6
"""Number of networks with different options."""

LARGE = 2**19 + 2**15
"""Pixels of a large image: in float64, a map of them has more than 4 MB."""

_ROUNDED = 0.3
"""Largest change of a map by half precision, in its standard deviations."""

_EVEN = 0.1
"""Share of its largest number that counts for the standard deviation of a map that hardly varies."""

_LARGE = 40.0
"""Scales of inputs at which bounds of options show."""


@attrs.frozen(kw_only=True)
class Trial:
    """A network with something to evaluate it on.

    Attributes:
        new: function that makes such a network as the composer does.
        module: the network in evaluation mode, float64, with random numbers.
        inputs: tensors that it takes.
        run: function that evaluates a network and returns all its output maps.
    """

    new: Callable[[], nn.Module]
    module: Any
    inputs: tuple[Tensor, ...]
    run: Callable[[Any, Sequence[Tensor]], tuple[Tensor, ...]]

    def maps(self) -> tuple[Tensor, ...]:
        """Return the network's output for the inputs."""
        return self.run(self.module, self.inputs)


class NetworkTests(ComponentTests):
    """Laws of both encoders and decoders."""

    def trial_of(self, options: Any, rank: int) -> Trial:
        """Return a network with these options; ``SpecError`` where it refuses them or the dimensions."""
        raise NotImplementedError

    def large_trial(self, rank: int) -> Trial:
        """Return a network with the simplest options and inputs of ``LARGE`` pixels."""
        raise NotImplementedError

    def different_trials(self, options: Any, rank: int) -> list[Trial]:
        """Return networks with these options, for all inputs that make a difference to the options."""
        return [self.trial_of(options, rank)]

    def trials(self, rank: int) -> Iterator[Trial]:
        """Yield networks with varied options; skip the test if there are none."""
        return (self.trial_of(options, rank) for options in self.chosen(rank))

    def chosen(self, rank: int) -> tuple[Any, ...]:
        """Return the options of these networks."""
        suite: Any = type(self)
        found = _combined(suite, rank)
        if not found:
            try:
                self.trial_of(self.smallest(), rank)
            except SpecError as error:
                pytest.skip(str(error))
            pytest.skip(f"no options with {rank} dimensions are taken")
        return found

    @in_two_and_three_dimensions
    def test_training_sees_what_evaluation_sees(self, rank: int) -> None:
        """Except for dropout and batch statistics, which are modules of torch."""
        for trial in self.trials(rank):
            assert_training_is_evaluation(trial.module, trial.maps)

    def test_large_images_are_evaluated_as_small_ones(self) -> None:
        """Without gradients a network may work on parts of its maps, but must give the same result."""
        planes = takes(partial(self.trial_of, self.smallest(), min(RANKS)))
        rank = min(RANKS) if planes else max(RANKS)
        trial = self.large_trial(rank)
        expected = [one.detach() for one in trial.maps()]
        with torch.no_grad():
            found = trial.maps()
        for one, two in zip(found, expected, strict=True):
            assert_close(one, two, "large maps differ without a gradient")

    @in_two_and_three_dimensions
    def test_derivatives_are_those_of_differences(self, rank: int) -> None:
        """With respect to inputs, in training: nothing is detached, rounded, or derived wrongly by hand."""
        for trial in self.trials(rank):

            def joined(*inputs: Tensor, of: Trial = trial) -> Tensor:
                return torch.cat([one.flatten() for one in of.run(of.module, inputs)])

            with still_training(trial.module):
                assert_derivative(joined, trial.inputs, "the derivative by the inputs")

    @in_two_and_three_dimensions
    def test_half_precision_changes_maps_by_rounding_alone(self, rank: int) -> None:
        """Under autocast to bfloat16, without gradients and with them."""
        for trial in self.trials(rank):
            trial.module.float()
            inputs = [one.float() for one in trial.inputs]
            expected = [one.detach() for one in trial.run(trial.module, inputs)]
            for recorded in (False, True):
                with torch.set_grad_enabled(recorded), torch.autocast("cpu", dtype=torch.bfloat16):
                    found = [one.detach().float() for one in trial.run(trial.module, inputs)]
                for one, two in zip(found, expected, strict=True):
                    # Eight bits of a map that hardly varies are of its size, not of its std.
                    size = max(float(two.std(correction=0)), _EVEN * float(two.abs().max()))
                    apart = float((one - two).abs().max())
                    assert apart <= _ROUNDED * size, f"bfloat16 moves a map of size {size:.2g} by {apart:.2g}"

    @in_two_and_three_dimensions
    def test_evaluation_changes_nothing_and_inputs_stay(self, rank: int) -> None:
        """No buffer changes in evaluation, and inputs are never overwritten."""
        for trial in self.trials(rank):
            assert_evaluation_changes_nothing(trial.module, trial.maps, trial.inputs)

    @in_two_and_three_dimensions
    def test_dropout_is_for_training(self, rank: int) -> None:
        """An option ``dropout`` is recognised by its name."""

        def build(options: Any) -> tuple[nn.Module, Callable[[], tuple[Tensor, ...]]]:
            trial = self.trial_of(options, rank)
            return trial.module, trial.maps

        options = self.smallest()
        if takes(partial(self.trial_of, options, rank)):
            assert_dropout_is_for_training(options, build)

    @in_two_and_three_dimensions
    def test_weights_survive_training_and_saving(self, rank: int) -> None:
        """A new network with the saved state gives the same maps, also after a step of training."""
        for trial in self.trials(rank):
            train_a_step(trial.module, trial.maps)
            other = copied(trial.module, trial.new)
            with torch.no_grad():
                pairs = zip(trial.run(other, trial.inputs), trial.maps(), strict=True)
                for one, two in pairs:
                    assert_equal(one, two, "the maps differ after saving and loading")

    def test_every_option_has_an_effect(self) -> None:
        """On the maps for ordinary or for large inputs, in evaluation or in training."""

        def trace(options: Any) -> Trace:
            rank = min(RANKS) if takes(lambda: self.trial_of(options, min(RANKS))) else max(RANKS)
            return tuple(seen for trial in self.different_trials(options, rank) for seen in _trace(trial))

        assert_options_have_effects(examples(self.options()), trace, unseen=self.unseen)


@functools.cache
def _combined(suite: Any, rank: int) -> tuple[Any, ...]:
    """Return options that cover pairs of values; only a few in three dimensions, where networks are slow."""

    def taken(options: Any) -> bool:
        try:
            suite().trial_of(options, rank)
        except SpecError:
            return False
        return True

    return tuple(covering(suite().options(), taken, _COMBINED if rank == min(RANKS) else 2))


def _trace(trial: Trial) -> Trace:
    seen = [(name, torch.tensor(value.shape)) for name, value in trial.module.state_dict().items()]
    large = [_LARGE * one for one in trial.inputs]
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        for inputs in (trial.inputs, large):
            seen += [("map", one) for one in trial.run(trial.module, inputs)]
        torch.manual_seed(0)
        module = copy.deepcopy(trial.module).train()
        seen += [("map in training", one) for one in trial.run(module, trial.inputs)]
    return tuple(seen)
