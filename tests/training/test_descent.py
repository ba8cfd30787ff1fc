"""Optimisers and schedules that a spec names."""

import math
from collections.abc import Iterable
from typing import Any

import attrs
import pytest
import torch
from torch import nn
from torch.optim import SGD, Adamax
from torch.optim.lr_scheduler import CosineAnnealingLR, ReduceLROnPlateau

from denoisplit.core.errors import BrokenPluginError, SpecError
from denoisplit.core.registry import Component, installed_registry
from denoisplit.core.spec import parse_spec, resolve, to_yaml
from denoisplit.core.spec.records import Chosen, TrainingSpec
from denoisplit.core.training.optimizer import Optimizer
from denoisplit.core.training.schedule import Schedule, after_step
from denoisplit.core.training.steps.descent import optimizer_of, schedule_of, try_descent

SPEC = "preset: denoisplit\nchannels: [a, b]\ndata: {train: {use: simulated}}\n"


def training(*overrides: str) -> TrainingSpec:
    named = [f"training.{one}" for one in overrides]
    return resolve(parse_spec(SPEC, named), installed_registry()).training


def network() -> nn.Module:
    layer = nn.Linear(3, 2, bias=False)
    nn.init.ones_(layer.weight)
    return layer


@pytest.mark.parametrize("named", [[], ["optimizer=adamax"], ["optimizer={use: adamax}"]])
def test_adamax_is_the_default_by_whatever_name(named: list[str]) -> None:
    """One call for all tensors, with the numbers of method section 6.1."""
    found = optimizer_of(network(), training(*named))
    assert isinstance(found, Adamax)
    expected = Adamax(network().parameters(), lr=1e-3, foreach=True).defaults
    assert found.defaults == expected


@pytest.mark.parametrize(
    "named",
    [
        ["plateau_patience=3", "plateau_factor=0.7"],
        ["schedule=plateau", "plateau_patience=3", "plateau_factor=0.7"],
        ["schedule={use: plateau, patience: 3, factor: 0.7}", "plateau_patience=9"],
    ],
)
def test_the_keys_of_early_specs_are_the_options_of_the_plateau(named: list[str]) -> None:
    spec = training(*named)
    found = schedule_of(optimizer_of(network(), spec), spec)
    assert isinstance(found, ReduceLROnPlateau)
    assert (found.patience, found.factor, found.mode, found.min_lrs) == (3, 0.7, "min", [1e-12])


@pytest.mark.parametrize("named", ["schedule=cosine", "schedule={use: cosine}"])
def test_a_cosine_is_that_of_early_specs(named: str) -> None:
    spec = training(named, "steps=7")
    found = schedule_of(optimizer_of(network(), spec), spec)
    assert isinstance(found, CosineAnnealingLR)
    assert (found.T_max, found.eta_min) == (7, 0)
    assert spec.keeps_last


@pytest.mark.parametrize(
    ("named", "last"),
    [
        (["schedule=constant"], False),
        (["schedule={use: plateau}"], False),
        (["schedule={use: cosine, warmup: 2}"], True),
        (["schedule={use: cosine}", "keep=best"], False),
        (["schedule=constant", "keep=last"], True),
    ],
)
def test_the_last_weights_are_kept_where_the_rate_ends_low(named: list[str], last: bool) -> None:
    assert training(*named).keeps_last is last


def test_a_spec_that_names_neither_is_written_as_by_early_versions() -> None:
    """Whose runs are gone on with, if the text is the same."""
    spec = resolve(parse_spec(SPEC), installed_registry())
    text = to_yaml(spec)
    assert "optimizer" not in text
    assert "\n  schedule: plateau\n" in text
    assert "\n  plateau_patience: 30\n" in text


@pytest.mark.parametrize("named", ["optimizer={use: adamw, weight_decay: 0.5}", "schedule=constant"])
def test_what_was_written_is_read_again(named: str) -> None:
    spec = resolve(parse_spec(SPEC, [f"training.{named}"]), installed_registry())
    assert resolve(parse_spec(to_yaml(spec)), installed_registry()) == spec


@pytest.mark.parametrize(
    ("named", "problem"),
    [
        (
            "schedule=cosin",
            "schedule.use: schedule cosin: not installed. Did you mean cosine? Installed",
        ),
        ("optimizer=adam", "optimizer.use: optimizer adam: not installed. Did you mean adam"),
        (
            "optimizer={use: adamw, decay: 1}",
            "optimizer.decay: unknown key (allowed: momentum, memory",
        ),
        (
            "optimizer={weight_decay: 1}",
            "optimizer: use is missing. Name an optimizer: adamax, adamw, muon, sgd",
        ),
        (
            "optimizer=3",
            (
                "optimizer: expected a name or {use: NAME, ...} (got 3). "
                "Name an optimizer: adamax, adamw, muon, sgd."
            ),
        ),
        (
            "optimizer=[adamw]",
            "optimizer: expected a name or {use: NAME, ...} (got a list). Name an optimizer: adamax, adamw",
        ),
        (
            "schedule=[cosine]",
            "schedule: expected a name or {use: NAME, ...} (got a list). Name a schedule: constant, cosine",
        ),
        ("optimizer={use: sgd, nesterov: true, momentum: 0}", "optimizer: nesterov needs a momentum (got 0)"),
        ("schedule={use: cosine, warmup: -1}", "schedule.warmup: must be >= 0 (got -1)"),
    ],
)
def test_what_cannot_be_is_told_with_its_place(named: str, problem: str) -> None:
    with pytest.raises(SpecError) as caught:
        training(named)
    key, _, what = problem.partition(": ")
    told = f"--set training.{named}: {what}" if named.startswith(f"{key}=") else f"$.training.{problem}"
    assert told in caught.value.problems[0]


def test_weights_decay_as_they_are_asked_to() -> None:
    spec = training("optimizer={use: adamw, weight_decay: 0.5}", "learning_rate=0.1")
    layer = network()
    (weight,) = layer.parameters()
    optimizer = optimizer_of(layer, spec)
    weight.grad = torch.zeros_like(weight)
    optimizer.step()
    assert torch.allclose(weight.detach(), torch.full((2, 3), 0.95))


def test_the_rate_rises_in_the_warm_up_and_falls_to_zero() -> None:
    spec = training("schedule={use: cosine, warmup: 4}", "steps=8", "learning_rate=1")
    optimizer = optimizer_of(network(), spec)
    schedule, rates = schedule_of(optimizer, spec), []
    for _ in range(8):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        after_step(schedule)
    falling = [(1 + math.cos(math.pi * n / 4)) / 2 for n in range(5)]
    assert rates == pytest.approx([0.25, 0.5, 0.75, 1, *falling[:4]])
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0)


def test_a_warm_up_longer_than_the_training_is_refused() -> None:
    with pytest.raises(SpecError, match=r"shorter than the training \(got warmup 8 of 8 steps\)"):
        try_descent(training("schedule={use: cosine, warmup: 8}", "steps=8"))


@attrs.frozen
class Nothing:
    """No options."""


class Fails(Optimizer):
    Options = Nothing

    def over(self, weights: Iterable[nn.Parameter], learning_rate: float) -> Any:
        raise IndexError("no place")


class NoneOfTorch(Fails):
    def over(self, weights: Iterable[nn.Parameter], learning_rate: float) -> Any:
        return [*weights, learning_rate]


class AsksForMore(Fails):
    def over(self, weights: Iterable[nn.Parameter], learning_rate: float) -> Any:
        return torch.optim.LBFGS(weights, lr=learning_rate)


class Explodes(Fails):
    def over(self, weights: Iterable[nn.Parameter], learning_rate: float) -> Any:
        return SGD(weights, lr=float("inf"))


class LeavesOut(Fails):
    def over(self, weights: Iterable[nn.Parameter], learning_rate: float) -> Any:
        return SGD([one for one in weights if one.ndim > 1], lr=learning_rate)


class HasNoRate(Fails):
    def over(self, weights: Iterable[nn.Parameter], learning_rate: float) -> Any:
        class Plain(torch.optim.Optimizer):
            def step(self, closure: Any = None) -> Any: ...

        return Plain(weights, {})


class ChoosesItsRate(Fails):
    def over(self, weights: Iterable[nn.Parameter], learning_rate: float) -> Any:
        found = SGD(weights, lr=learning_rate)
        found.param_groups[0]["lr"] = None
        return found


class ReadsTwice(Fails):
    def over(self, weights: Iterable[nn.Parameter], learning_rate: float) -> Any:
        groups = ([one for one in weights if one.ndim > 1], [one for one in weights if one.ndim <= 1])
        return SGD([{"params": group} for group in groups], lr=learning_rate)


class KnowsTheParts(Fails):
    def over_network(self, network: nn.Module, learning_rate: float) -> Any:
        parts = map(network.get_submodule, ("encoder", "decoder", "noise_model", "kl_scheme"))
        return SGD([{"params": list(part.parameters())} for part in parts], lr=learning_rate)


class NoScheduler(Schedule):
    Options = Nothing

    def over(self, optimizer: Any, *, steps: int, better: Any) -> Any:
        return steps


@pytest.mark.parametrize(
    ("kind", "cls", "message"),
    [
        ("optimizer", Fails, "does not take the weights (IndexError: no place, at "),
        ("optimizer", NoneOfTorch, "over has to give a torch.optim Optimizer (got list)"),
        ("optimizer", AsksForMore, "fails at a step (TypeError: "),
        ("optimizer", Explodes, "weights have to stay finite (got a sum of -inf after"),
        ("optimizer", LeavesOut, "has to update all trainable weights (got none of 4, encoder.0.bias first)"),
        ("optimizer", HasNoRate, "every group of weights has to have a learning rate, lr (got None)"),
        ("optimizer", ChoosesItsRate, "every group of weights has to have a learning rate, lr (got None)"),
        ("schedule", NoScheduler, "over has to give a torch.optim LRScheduler (got int)"),
    ],
)
def test_a_broken_one_is_one_line_before_training(kind: str, cls: type[Any], message: str) -> None:
    row = Component(kind=kind, name="odd", target=cls, package="lab", version="1", summary="Odd.")
    named: Any = {kind: Chosen(component=row, options=Nothing())}
    spec = attrs.evolve(training(), **named)
    with pytest.raises(BrokenPluginError) as caught:
        try_descent(spec)
    assert str(caught.value).startswith(f"{kind} lab/odd: {message}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("cls", [ReadsTwice, KnowsTheParts])
def test_one_that_is_in_order_is_let_pass(cls: type[Any]) -> None:
    row = Component(kind="optimizer", name="fine", target=cls, package="lab", version="1", summary="Fine.")
    try_descent(attrs.evolve(training(), optimizer=Chosen(component=row, options=Nothing())))
