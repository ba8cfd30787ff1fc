"""Laws of training mode.

Except for dropout and batch statistics, training computes what evaluation computes.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import attrs
import pytest
import torch
from torch import Tensor, nn

from denoisplit.testing.suite import assert_close, assert_equal

Run = Callable[[], Sequence[Tensor]]
"""Function that evaluates a network and returns its output maps."""

_DROPOUT = "dropout"
_MUCH = 0.5


@contextmanager
def still_training(module: nn.Module) -> Iterator[None]:
    """Set training mode, except for torch's modules of dropout and batch statistics."""
    module.train()
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._NormBase | nn.modules.dropout._DropoutNd):
            part.eval()
    try:
        yield
    finally:
        module.eval()


def with_dropout(options: Any, share: float) -> Any:
    """Return the same options with another ``dropout``, which is recognised by its name."""
    known = {field.alias for field in attrs.fields(type(options)) if field.init}
    return attrs.evolve(options, **{_DROPOUT: share}) if _DROPOUT in known else options


def assert_training_is_evaluation(module: nn.Module, run: Run) -> None:
    """Check this except for dropout and batch statistics, with and without gradients."""
    with torch.no_grad():
        expected = run()
    with still_training(module):
        found = run()
    for one, two in zip(found, expected, strict=True):
        assert_close(one.detach(), two, "training gives other maps than evaluation, whatever is dropped")


def assert_evaluation_changes_nothing(module: nn.Module, run: Run, inputs: Sequence[Tensor]) -> None:
    """Check this for the state of the network and its inputs; training does not change inputs, either."""
    state = {name: value.clone() for name, value in module.state_dict().items()}
    before = [one.clone() for one in inputs]
    with torch.no_grad():
        run()
    for name, value in module.state_dict().items():
        assert_equal(value, state[name], f"{name} changes in evaluation")
    module.train()
    run()
    module.eval()
    for one, two in zip(inputs, before, strict=True):
        assert_equal(one, two, "what the network is given is overwritten")


def assert_dropout_is_for_training(options: Any, build: Callable[[Any], tuple[nn.Module, Run]]) -> None:
    """Check an option ``dropout``: training draws with it and not without it; evaluation never draws."""
    if with_dropout(options, _MUCH) == with_dropout(options, 0.0):
        pytest.skip("it has no option dropout")
    for share in (0.0, _MUCH):
        module, run = build(with_dropout(options, share))
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            module.train()
            for part in module.modules():
                if isinstance(part, nn.modules.batchnorm._NormBase):
                    part.eval()
            torch.manual_seed(1)
            one = run()
            torch.manual_seed(2)
            two = run()
            module.eval()
        same = all(torch.allclose(a, b) for a, b in zip(one, two, strict=True))
        assert same == (share == 0), f"with dropout {share:g} training {'does not draw' if same else 'draws'}"


def train_a_step(module: nn.Module, run: Run) -> None:
    """Run a training step, for its effect on the buffers."""
    module.train()
    with torch.no_grad():
        run()
    module.eval()
