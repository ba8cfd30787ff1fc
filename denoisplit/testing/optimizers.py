"""Conformance suite for optimisers."""

from collections.abc import Sequence
from typing import Any, ClassVar, Final

import attrs
import pytest
import torch
from hypothesis import strategies as st
from torch import nn
from torch.optim import Optimizer as Stepping

from denoisplit.core.training.optimizer import Optimizer, trainable
from denoisplit.core.training.steps.trial_network import TrialNetwork
from denoisplit.testing.option_effects import Trace, assert_options_have_effects
from denoisplit.testing.strategies import seeds
from denoisplit.testing.suite import ComponentTests, assert_equal, examples, through_a_file, tried

_SHAPES: Final = ((4, 3, 3, 3), (5, 2), (4,), ())
"""Shapes of weights: convolutions, matrices, biases, and single numbers."""

_RATE: Final = 1e-3
_NO_DEFAULT: Final = 3e-4
"""A learning rate that no optimiser of torch has by default."""

_BEFORE, _AFTER = 3, 4
"""Steps before and after a training is interrupted and resumed."""


class OptimizerTests(ComponentTests):
    """Laws of optimisers: downhill, at the given rate, and the same when resumed."""

    kind: ClassVar[str] = "optimizer"

    def optimizer(self, options: Any) -> Optimizer:
        """The component."""
        made = self.target()(options)
        assert isinstance(made, Optimizer), f"not an Optimizer (got {type(made)})"
        return made

    def weights(self, seed: int = 0) -> list[nn.Parameter]:
        """Return some weights of every shape, around 1 and -1."""
        generator = torch.Generator().manual_seed(seed)
        drawn = [torch.randn(shape, generator=generator) for shape in _SHAPES]
        return [nn.Parameter(values + values.sign()) for values in drawn]

    def over(self, weights: Sequence[nn.Parameter], options: Any, rate: float = _RATE) -> Stepping:
        """Return an optimiser of these weights."""
        made = self.optimizer(options).over(iter(weights), rate)
        assert isinstance(made, Stepping), f"not an optimiser of torch (got {type(made)})"
        return made

    def steps(
        self, stepping: Stepping, weights: Sequence[nn.Parameter], numbers: range, seed: int = 0
    ) -> None:
        """Take steps down a bowl with noisy gradients that depend on the number of the step alone."""
        for number in numbers:
            stepping.zero_grad()
            generator = torch.Generator().manual_seed(1000 * seed + number)
            for weight in weights:
                noise = torch.randn(weight.shape, generator=generator)
                weight.grad = weight.detach() + 0.1 * noise
            stepping.step()

    @tried(10, data=st.data(), seed=seeds())
    def test_steps_lead_downhill(self, data: st.DataObject, seed: int) -> None:
        """Every weight, whatever its shape, comes nearer to the bottom of a bowl."""
        weights = self.weights(seed)
        before = [weight.detach().clone() for weight in weights]
        self.steps(self.over(weights, data.draw(self.options())), weights, range(20), seed % 1000)
        for one, other in zip(before, weights, strict=True):
            shape = tuple(one.shape)
            assert bool(torch.isfinite(other).all()), f"weights of shape {shape} are not finite"
            assert float(other.detach().square().sum()) < float(one.square().sum()), (
                f"weights of shape {shape} do not come down"
            )

    @tried(5, data=st.data(), seed=seeds())
    def test_the_schedule_has_its_say(self, data: st.DataObject, seed: int) -> None:
        """The rate is in every group; one of zero moves nothing, half of it half as far at the first step."""
        options, weights = data.draw(self.options()), self.weights(seed)
        stepping = self.over(weights, options, _NO_DEFAULT)
        assert stepping.param_groups, "there are no groups"
        for group in stepping.param_groups:
            assert group["lr"] == _NO_DEFAULT, (
                f"a group has the learning rate {group['lr']}, given is {_NO_DEFAULT}"
            )
        moved = []
        for rate in (_RATE, _RATE / 2, 0.0):
            weights = self.weights(seed)
            stepping = self.over(weights, options)
            for group in stepping.param_groups:
                group["lr"] = rate
            self.steps(stepping, weights, range(1))
            pairs = zip(weights, self.weights(seed), strict=True)
            moved.append(torch.cat([(new - old).detach().flatten() for new, old in pairs]))
        assert not bool(moved[2].any()), "a learning rate of zero moves weights"
        assert torch.allclose(2 * moved[1], moved[0], rtol=1e-3, atol=1e-6), (
            "half of the learning rate does not move weights half as far"
        )

    @tried(5, data=st.data(), seed=seeds())
    def test_a_training_that_goes_on_is_one_that_never_stopped(self, data: st.DataObject, seed: int) -> None:
        """Bit for bit, from a state that a file of plain numbers and tensors can hold."""
        options, weights = data.draw(self.options()), self.weights(seed)
        stepping = self.over(weights, options)
        self.steps(stepping, weights, range(_BEFORE))
        state = through_a_file(stepping.state_dict())
        others = [nn.Parameter(weight.detach().clone()) for weight in weights]
        self.steps(stepping, weights, range(_BEFORE, _BEFORE + _AFTER))
        resumed = self.over(others, options, rate=7.0)
        resumed.load_state_dict(state)
        self.steps(resumed, others, range(_BEFORE, _BEFORE + _AFTER))
        for one, other in zip(weights, others, strict=True):
            assert_equal(other.detach(), one.detach(), "a training that goes on gives other weights")

    @tried(3, data=st.data(), seed=seeds())
    def test_steps_are_functions_of_weights_and_gradients(self, data: st.DataObject, seed: int) -> None:
        """Nothing is drawn at random or shared with another training, and gradients are not overwritten."""
        options, found = data.draw(self.options()), []
        optimizer = self.optimizer(options)
        for start in (1, 2):
            torch.manual_seed(start)
            weights = self.weights(seed)
            self.steps(optimizer.over(iter(weights), _RATE), weights, range(_BEFORE))
            found.append([weight.detach().clone() for weight in weights])
        for one, other in zip(*found, strict=True):
            assert_equal(other, one, "a second training gives other weights")

    @tried(3, data=st.data())
    def test_weights_without_a_gradient_stay(self, data: st.DataObject) -> None:
        """For example those of parts of the network that a step does not use."""
        weights, kept = self.weights(), self.weights()[0]
        stepping = self.over(weights, data.draw(self.options()))
        for weight in weights[1:]:
            weight.grad = torch.ones_like(weight)
        stepping.step()
        assert_equal(weights[0].detach(), kept.detach(), "weights without a gradient move")

    @tried(3, data=st.data())
    def test_the_trainable_weights_of_a_network_are_updated(self, data: st.DataObject) -> None:
        """All of them, each in one group at the given rate or a share of it, and no frozen one."""
        optimizer, network = self.optimizer(data.draw(self.options())), TrialNetwork()
        network.decoder.requires_grad_(requires_grad=False)
        stepping, twice = (optimizer.over_network(network, rate) for rate in (_RATE, 2 * _RATE))
        learnt = {id(one): name for name, one in network.named_parameters() if one.requires_grad}
        found = [id(weight) for group in stepping.param_groups for weight in group["params"]]
        left = [name for one, name in learnt.items() if one not in found]
        assert not left, f"in no group: {', '.join(left)}"
        assert not set(found) - set(learnt), "frozen weights are in a group"
        assert len(found) == len(set(found)), "weights are in two groups"
        for one, other in zip(stepping.param_groups, twice.param_groups, strict=True):
            assert other["lr"] == pytest.approx(2 * one["lr"]), "a group does not follow the learning rate"
        before = [weight.detach().clone() for weight in network.parameters()]
        self.steps(stepping, trainable(network), range(1))
        for (name, weight), old in zip(network.named_parameters(), before, strict=True):
            moved = not torch.equal(weight.detach(), old)
            assert moved == weight.requires_grad, f"{name} {'moves' if moved else 'does not move'}"

    def test_every_option_has_an_effect(self) -> None:
        """On the weights after some steps."""
        if not attrs.fields(self.target().Options):
            pytest.skip("there are no options")

        def trace(options: Any) -> Trace:
            weights = [nn.Parameter(weight.detach().double()) for weight in self.weights()]
            stepping = self.over(weights, options)
            self.steps(stepping, weights, range(_BEFORE + _AFTER))
            return tuple((f"weights {n}", weight.detach()) for n, weight in enumerate(weights))

        assert_options_have_effects(examples(self.options()), trace, unseen=self.unseen)
