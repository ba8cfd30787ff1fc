"""Optimiser and learning-rate schedule of a training, from its spec; tried once before the training."""

import math
from collections.abc import Mapping
from contextlib import suppress
from numbers import Real
from typing import Any, Final, TypeVar, final

import torch
from torch import Tensor, nn
from torch.optim import Optimizer as Stepping
from torch.optim.lr_scheduler import LRScheduler

from denoisplit.core.devices import is_of_the_machine
from denoisplit.core.errors import BrokenPluginError, SpecError, counted
from denoisplit.core.registry import installed_registry
from denoisplit.core.registry.blame import blaming, broken
from denoisplit.core.registry.component import Component
from denoisplit.core.registry.manager import BUILTIN
from denoisplit.core.spec.records import Chosen, TrainingSpec
from denoisplit.core.storage.states import through_a_file
from denoisplit.core.training.schedule import after_step, after_validation
from denoisplit.core.training.steps.monitor import MONITORS
from denoisplit.core.training.steps.trial_network import TrialNetwork

_Made = TypeVar("_Made", Stepping, LRScheduler)

_PLATEAU: Final = {"patience": "plateau_patience", "factor": "plateau_factor"}
"""Options of the plateau schedule, and the older keys of a spec with the same meaning."""

_NUMBERS: Final = (Real, Tensor)
"""Classes of a learning rate."""

_MOST_RATES: Final = 100_000
"""Number of learning rates that are tried, in half a second."""


def optimizer_of(network: nn.Module, spec: TrainingSpec) -> Stepping:
    """Build the optimiser of the trainable weights of a network.

    Raises:
        BrokenPluginError: the optimiser fails, leaves weights out, has no learning rate, or is not an
            optimiser of torch.
    """
    chosen = _optimizer(spec)
    with blaming([chosen.component], "does not take the weights"):
        made = chosen.build().over_network(network, spec.learning_rate)
    found = _checked(made, Stepping, chosen)
    updated = {id(weight) for group in found.param_groups for weight in group["params"]}
    left = [name for name, one in network.named_parameters() if one.requires_grad and id(one) not in updated]
    if left:
        problem = f"has to update all trainable weights (got none of {len(left)}, {left[0]} first)"
        raise broken(chosen.component, problem)
    for group in found.param_groups:
        if not isinstance(group.get("lr"), _NUMBERS):
            problem = f"every group of weights has to have a learning rate, lr (got {group.get('lr')})"
            raise broken(chosen.component, problem)
    return found


def schedule_of(optimizer: Stepping, spec: TrainingSpec) -> LRScheduler:
    """Build the schedule of the learning rate.

    Raises:
        BrokenPluginError: the schedule fails, or is not a scheduler of torch.
        SpecError: it does not fit this number of steps.
    """
    chosen = _schedule(spec)
    with blaming([chosen.component], "does not take the optimiser"):
        made = chosen.build().over(optimizer, steps=spec.steps, better=MONITORS[spec.monitor].mode)
    return _checked(made, LRScheduler, chosen)


@final
class Descent:
    """Optimiser and schedule of a training; where one of them fails, the error names it.

    Args:
        network: network to train, on its device.
        spec: settings of the training.
    """

    def __init__(self, network: nn.Module, spec: TrainingSpec) -> None:
        self.optimizer = optimizer_of(network, spec)
        self.schedule = schedule_of(self.optimizer, spec)
        self._steps = spec.steps
        self._stepping, self._rating = _optimizer(spec).component, _schedule(spec).component

    def step(self, done: int) -> None:
        """Update the weights from their gradients, and then the learning rate.

        Args:
            done: number of steps before this one.

        Raises:
            BrokenPluginError: the optimiser or the schedule fails, or a rate is impossible.
        """
        with blaming([self._stepping], f"fails after {counted(done, 'step')}", unless=is_of_the_machine):
            self.optimizer.step()
        self.rated(done + 1)

    def rated(self, done: int) -> None:
        """Update the learning rate after a step.

        Raises:
            BrokenPluginError: the schedule fails, or a rate is impossible.
        """
        if done >= self._steps:
            with suppress(Exception):  # no step takes this rate, and a table of rates may not have it
                after_step(self.schedule)
            return
        with blaming([self._rating], f"fails after {counted(done, 'step')}"):
            after_step(self.schedule)
            self.look(done)

    def validated(self, value: float, done: int) -> None:
        """Update the learning rate after a validation with this monitored value.

        Raises:
            BrokenPluginError: the schedule fails, or a rate is impossible.
        """
        with blaming([self._rating], f"fails at the validation after {counted(done, 'step')}"):
            after_validation(self.schedule, value)
            self.look(done)

    def state_dict(self) -> dict[str, Any]:
        """State, for a resume point."""
        return {"optimizer": self.optimizer.state_dict(), "schedule": self.schedule.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a saved state."""
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])

    def look(self, done: int) -> None:
        """Check the rates, unless no step is left: some schedules have none for after the last one.

        Only numbers of the processor are looked at: a device would be waited for.

        Raises:
            BrokenPluginError: a rate is negative, NaN or infinite.
        """
        if done >= self._steps:
            return
        for group in self.optimizer.param_groups:
            rate = group["lr"]
            if getattr(rate, "is_cpu", True) and not (
                isinstance(rate, _NUMBERS) and 0 <= float(rate) < math.inf
            ):
                got = f"got {rate} after {counted(done, 'step')}"
                raise broken(self._rating, f"the learning rate has to be 0 or more, and finite ({got})")


def monitored(spec: TrainingSpec, values: Mapping[str, float]) -> float:
    """Return the monitored value of a validation."""
    return values[MONITORS[spec.monitor].name]


def try_descent(spec: TrainingSpec) -> None:
    """Do a step and a validation with a few weights, as a training will, and go through its learning rates.

    Raises:
        BrokenPluginError: optimiser or schedule fails, or breaks the contract of its kind.
        SpecError: they do not fit this training.
    """
    _require_one_plateau(spec)
    network = TrialNetwork()
    tried = Descent(network, spec)
    used = [one.component for one in (spec.optimizer, spec.schedule) if isinstance(one, Chosen)]
    if not used:  # the built-in ones of a bare name are known to work
        return
    with blaming(used, "fails at a step"):
        for weight in network.parameters():
            weight.grad = torch.ones_like(weight)
        tried.optimizer.step()
        after_step(tried.schedule)
        after_validation(tried.schedule, 1.0)
    total = sum(float(weight.detach().sum()) for weight in network.parameters())
    if not math.isfinite(total):
        raise BrokenPluginError(
            f"{used[0].kind} {used[0].qualified}: weights have to stay finite (got a sum of "
            f"{total} after a step). Lower training.learning_rate, or use another."
        )
    tried.look(1)
    if isinstance(spec.schedule, Chosen):
        for done in range(2, min(spec.steps, _MOST_RATES)):
            tried.rated(done)
    _require_resumable(tried, spec)


def _require_resumable(tried: Descent, spec: TrainingSpec) -> None:
    """Check that a resumed training can go on from the states of optimiser and schedule."""
    found = {}
    optimizer, schedule = _optimizer(spec).component, _schedule(spec).component
    # The optimiser alone first: the rates of a schedule are in its state, too.
    stateful: tuple[tuple[str, Stepping | LRScheduler, Component], ...] = (
        ("optimizer", optimizer_of(TrialNetwork(), spec), optimizer),
        ("schedule", tried.schedule, schedule),
        ("optimizer", tried.optimizer, optimizer),
    )
    for name, one, row in stateful:
        with blaming([row], "has no state from which a training can resume"):
            state = one.state_dict()
        try:
            found[name] = through_a_file(state)
        except ValueError as error:
            problem = "its state has to be of tensors and plain numbers, from which a training can resume"
            raise broken(row, f"{problem} (got {error})") from error
    with blaming([schedule, optimizer], "does not resume from its own state"):
        Descent(TrialNetwork(), spec).load_state_dict(found)


def _require_one_plateau(spec: TrainingSpec) -> None:
    """Refuse the older keys of a plateau if they contradict its options."""
    chosen, anywhere = spec.schedule, TrainingSpec()
    if not isinstance(chosen, Chosen) or chosen.component.qualified != f"{BUILTIN}/plateau":
        return
    for option, key in _PLATEAU.items():
        said, own = getattr(spec, key), getattr(chosen.options, option)
        if said not in (own, getattr(anywhere, key)):
            raise SpecError(
                f"training.{key}: training.schedule has another {option} (got {said}, and {own} there). "
                f"Make both {said} or {own}."
            )


def _optimizer(spec: TrainingSpec) -> Chosen:
    return _chosen("optimizer", spec.optimizer)


def _schedule(spec: TrainingSpec) -> Chosen:
    keys = _PLATEAU if spec.schedule == "plateau" else {}
    given = {option: getattr(spec, key) for option, key in keys.items()}
    return _chosen("schedule", spec.schedule, **given)


def _chosen(kind: str, given: str | Chosen, **options: Any) -> Chosen:
    """Return a component with its options; a bare name means a built-in."""
    if isinstance(given, Chosen):
        return given
    row = installed_registry().find(kind, f"{BUILTIN}/{given}")
    return Chosen(component=row, options=row.load().Options(**options))


def _checked(made: object, cls: type[_Made], chosen: Chosen) -> _Made:
    if not isinstance(made, cls):
        problem = f"over has to give a torch.optim {cls.__name__} (got {type(made).__name__})"
        raise broken(chosen.component, problem)
    return made
