"""Trainings whose schedule or optimiser has no plain state resume, or are refused before they begin."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.optim import SGD
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

import denoisplit
from denoisplit.core.errors import BrokenPluginError
from denoisplit.core.registry import Component
from denoisplit.core.spec.records import Chosen, TrainingSpec
from denoisplit.core.storage.run_folder import RunFolder
from denoisplit.core.training.optimizer import Optimizer
from denoisplit.core.training.schedule import Schedule
from denoisplit.core.training.steps.descent import try_descent
from denoisplit.core.validators import NoOptions
from tests.training.test_fit import SPEC, Interrupt


class Wave(Schedule):
    """Half a cosine by NumPy, whose numbers the rates are."""

    Options = NoOptions
    ends_low = True

    def over(self, optimizer: Any, *, steps: int, better: Any) -> LRScheduler:
        return LambdaLR(optimizer, lambda step: 0.5 * (1 + np.cos(np.pi * min(step / steps, 1))))


class Single(Wave):
    def over(self, optimizer: Any, *, steps: int, better: Any) -> LRScheduler:
        share: Any = lambda step: np.float32(1 - step / steps)  # noqa: E731
        return LambdaLR(optimizer, share)


class Method(Wave):
    def over(self, optimizer: Any, *, steps: int, better: Any) -> LRScheduler:
        return LambdaLR(optimizer, np.linspace(1, 0, steps + 1).__getitem__)


class Table(Wave):
    """Keeps its rates in an array."""

    def over(self, optimizer: Any, *, steps: int, better: Any) -> LRScheduler:
        found = LambdaLR(optimizer, lambda _: 1.0)
        vars(found)["table"] = np.ones(steps)
        return found


class Forgets(Wave):
    def over(self, optimizer: Any, *, steps: int, better: Any) -> LRScheduler:
        found = LambdaLR(optimizer, lambda _: 1.0)
        vars(found).update(state_dict=lambda: {"step": 1}, load_state_dict=lambda state: state["steps"])
        return found


class SingleRate(Optimizer):
    Options = NoOptions

    def over(self, weights: Iterable[nn.Parameter], learning_rate: float) -> SGD:
        rate: Any = np.float32(learning_rate)
        return SGD(weights, lr=rate)


class KeepsCode(Optimizer):
    Options = NoOptions

    def over(self, weights: Iterable[nn.Parameter], learning_rate: float) -> SGD:
        found = SGD(weights, lr=learning_rate)
        found.register_state_dict_post_hook(lambda _, state: {**state, "code": len})
        return found


@pytest.mark.usefixtures("own_components")
def test_a_schedule_with_numbers_of_numpy_goes_on_as_if_it_never_stopped(tmp_path: Path) -> None:
    denoisplit.register("schedule", "wave", summary="By NumPy.")(Wave)
    (tmp_path / "spec.yaml").write_text(SPEC, encoding="utf-8")
    spec = denoisplit.load_spec(tmp_path / "spec.yaml", ["training.schedule={use: wave}"])
    whole, cut = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "cut")
    denoisplit.train(spec, whole.path)
    with pytest.raises(KeyboardInterrupt):
        denoisplit.train(spec, cut.path, watchers=[Interrupt(4)])
    denoisplit.train(spec, cut.path, resume=True)
    weights = load_file(cut.weights)
    assert all(torch.equal(weights[name], one) for name, one in load_file(whole.weights).items())
    assert cut.metrics.read_bytes() == whole.metrics.read_bytes()


PLAIN = "its state has to be of tensors and plain numbers, from which a training can resume (got "


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (Single, f"{PLAIN}numpy"),
        (Table, f"{PLAIN}numpy"),
        (Method, "has no state from which a training can resume (AttributeError: "),
        (KeepsCode, f"{PLAIN}builtins.len). Fix it ("),
        (SingleRate, f"{PLAIN}numpy"),
        (Forgets, "does not resume from its own state (KeyError: 'steps', at test_plain_states.py"),
    ],
)
def test_a_state_that_cannot_be_loaded_again_is_one_line_before_training(
    cls: type[Any], message: str
) -> None:
    kind = "schedule" if issubclass(cls, Schedule) else "optimizer"
    row = Component(kind=kind, name="odd", target=cls, package="lab", version="1", summary="Odd.")
    named: Any = {kind: Chosen(component=row, options=NoOptions())}
    with pytest.raises(BrokenPluginError) as caught:
        try_descent(TrainingSpec(steps=6, **named))
    assert str(caught.value).startswith(f"{kind} lab/odd: {message}")
    assert "\n" not in str(caught.value)
    assert "x1b" not in str(caught.value)
