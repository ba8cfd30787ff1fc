"""Optimisers and schedules that go wrong after their first step are named, if possible before a training."""

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR, ReduceLROnPlateau

import denoisplit
from denoisplit.core.errors import BrokenPluginError
from denoisplit.core.registry import Component
from denoisplit.core.spec.records import Chosen, TrainingSpec
from denoisplit.core.training.optimizer import Optimizer
from denoisplit.core.training.schedule import Schedule
from denoisplit.core.training.steps.descent import Descent, try_descent
from denoisplit.core.training.steps.trial_network import TrialNetwork
from denoisplit.core.validators import NoOptions
from tests.training.test_fit import SPEC

STEPS = 6
RATE = "the learning rate has to be 0 or more, and finite (got"


class Shares(Schedule):
    """Shares of the learning rate, of which a bad one comes late."""

    Options = NoOptions

    def over(self, optimizer: Any, *, steps: int, better: Any) -> LRScheduler:
        return LambdaLR(optimizer, self.share)

    def share(self, step: int) -> float:
        return 1.0


class NaN(Shares):
    def share(self, step: int) -> float:
        return math.nan if step > 2 else 1.0


class Infinite(Shares):
    def share(self, step: int) -> float:
        return math.inf if step else 1.0


class NoNumber(Shares):
    def over(self, optimizer: Any, *, steps: int, better: Any) -> LRScheduler:
        found = super().over(optimizer, steps=steps, better=better)
        found.get_lr = lambda: [None for _ in optimizer.param_groups]  # type: ignore[method-assign,misc]
        return found


class Uphill(Shares):
    def share(self, step: int) -> float:
        return 3.0 - step


class Raises(Shares):
    def share(self, step: int) -> float:
        return 1 / (3 - step)


class TooShort(Shares):
    def over(self, optimizer: Any, *, steps: int, better: Any) -> LRScheduler:
        return OneCycleLR(optimizer, 1e-3, total_steps=steps // 2)


class BelowZeroAtTheEnd(Shares):
    """As torch has it: the line goes on after the last step, which has the lowest rate."""

    def over(self, optimizer: Any, *, steps: int, better: Any) -> LRScheduler:
        return OneCycleLR(optimizer, 1e-3, total_steps=steps, anneal_strategy="linear")


class Listed(Shares):
    def share(self, step: int) -> float:
        return [1.0 - done / STEPS for done in range(STEPS)][step]


class Plateaus(Shares):
    """Works at the first validation."""

    def over(self, optimizer: Any, *, steps: int, better: Any) -> LRScheduler:
        return NaNAtTheSecond(optimizer)


class NaNAtTheSecond(ReduceLROnPlateau):
    def step(self, *given: Any, **named: Any) -> None:
        super().step(*given, **named)
        if self.last_epoch == 2:
            self.optimizer.param_groups[0]["lr"] = math.nan


class Ends(Optimizer):
    """Fails at its third step."""

    Options = NoOptions
    error: Exception = IndexError("no\nplace")

    def over(self, weights: Iterable[nn.Parameter], learning_rate: float) -> SGD:
        found, error = SGD(weights, lr=learning_rate), self.error
        calls: list[int] = []

        def count(*_: object) -> None:
            calls.append(1)
            if len(calls) == 3:
                raise error

        found.register_step_pre_hook(count)
        return found


class NeedsMemory(Ends):
    error = torch.OutOfMemoryError("out of memory")


def training(cls: type[Any]) -> TrainingSpec:
    kind = "schedule" if issubclass(cls, Schedule) else "optimizer"
    row = Component(kind=kind, name="odd", target=cls, package="lab", version="1", summary="Odd.")
    named: Any = {kind: Chosen(component=row, options=NoOptions())}
    return TrainingSpec(steps=STEPS, **named)


def whole(cls: type[Any]) -> Descent:
    """All steps of a training."""
    network = TrialNetwork()
    descent = Descent(network, training(cls))
    for weight in network.parameters():
        weight.grad = torch.ones_like(weight)
    for done in range(STEPS):
        descent.step(done)
    return descent


@pytest.mark.parametrize("during", [try_descent, whole], ids=["before", "during"])
@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (NaN, f"{RATE} nan after 3 steps). Fix it ("),
        (Infinite, f"{RATE} inf after 1 step). Fix it ("),
        (NoNumber, f"{RATE} None after 1 step). Fix it ("),
        (Uphill, f"{RATE} -0.001 after 4 steps). Fix it ("),
        (Raises, "fails after 3 steps (ZeroDivisionError: "),
        (TooShort, "fails after 4 steps (ValueError: Tried to step 4 times."),
    ],
)
def test_a_schedule_that_goes_wrong_late_is_one_line(
    cls: type[Schedule], message: str, during: Callable[[Any], object]
) -> None:
    with pytest.raises(BrokenPluginError) as caught:
        during(training(cls) if during is try_descent else cls)
    assert str(caught.value).startswith(f"schedule lab/odd: {message}")
    assert "\n" not in str(caught.value)


def test_a_rate_after_the_last_step_does_not_matter() -> None:
    try_descent(training(BelowZeroAtTheEnd))
    assert whole(BelowZeroAtTheEnd).optimizer.param_groups[0]["lr"] < 0


def test_a_table_with_a_rate_for_each_step_has_none_for_after_the_last() -> None:
    try_descent(training(Listed))
    whole(Listed)


def test_memory_that_runs_out_is_no_fault_of_the_optimiser() -> None:
    with pytest.raises(torch.OutOfMemoryError):
        whole(NeedsMemory)


@pytest.mark.usefixtures("own_components")
@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (
            Ends,
            "optimizer notebook/odd: fails after 2 steps (IndexError: no place, at test_descent_in_",
        ),
        (Plateaus, f"schedule notebook/odd: {RATE} nan after 4 steps). Fix it ("),
    ],
)
def test_what_no_trial_can_tell_is_one_line_in_a_training(
    tmp_path: Path, cls: type[Any], message: str
) -> None:
    kind = "schedule" if issubclass(cls, Schedule) else "optimizer"
    denoisplit.register(kind, "odd", summary="Odd.")(cls)
    (tmp_path / "spec.yaml").write_text(SPEC, encoding="utf-8")
    with pytest.raises(BrokenPluginError) as caught:
        denoisplit.train(
            tmp_path / "spec.yaml", tmp_path / "run", overrides=[f"training.{kind}={{use: odd}}"]
        )
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
