"""The optimiser of a training, and the schedule of its learning rate, from its spec; tried once before."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar

import torch
from torch import nn
from torch.optim import Optimizer as Stepping
from torch.optim.lr_scheduler import LRScheduler

from denoisplit.core.errors import BrokenPluginError
from denoisplit.core.registry import installed_registry
from denoisplit.core.registry.blame import blaming
from denoisplit.core.registry.manager import BUILTIN
from denoisplit.core.spec.records import Chosen, TrainingSpec
from denoisplit.core.training.monitor import MONITORS
from denoisplit.core.training.schedule import after_step, after_validation

_Made = TypeVar("_Made", Stepping, LRScheduler)

_SHAPE: Final = (3, 2)
"""Of the weights that an optimiser is tried with."""


def optimizer_of(weights: Iterable[nn.Parameter], spec: TrainingSpec) -> Stepping:
    """What moves these weights.

    Raises:
        BrokenPluginError: the optimiser fails, or is none of torch.
    """
    chosen = _chosen("optimizer", spec.optimizer)
    with blaming([chosen.component], "does not take the weights"):
        made = chosen.build().over(weights, spec.learning_rate)
    return _checked(made, Stepping, chosen)


def schedule_of(optimizer: Stepping, spec: TrainingSpec) -> LRScheduler:
    """What changes the learning rate.

    Raises:
        BrokenPluginError: the schedule fails, or is none of torch.
        SpecError: it does not fit so many steps.
    """
    # The keys beside a name are older than the options of a component.
    plateau = {"patience": spec.plateau_patience, "factor": spec.plateau_factor}
    chosen = _chosen("schedule", spec.schedule, **(plateau if spec.schedule == "plateau" else {}))
    with blaming([chosen.component], "does not take the optimiser"):
        made = chosen.build().over(optimizer, steps=spec.steps, better=MONITORS[spec.monitor].mode)
    return _checked(made, LRScheduler, chosen)


def monitored(spec: TrainingSpec, values: Mapping[str, float]) -> float:
    """The value of a validation that is to become better."""
    return values[MONITORS[spec.monitor].name]


def try_descent(spec: TrainingSpec) -> None:
    """Do a step and a validation of a few weights, as a training will.

    Raises:
        BrokenPluginError: optimiser or schedule fails, or breaks the contract of its kind.
        SpecError: they do not go with this training.
    """
    weights = nn.Parameter(torch.ones(_SHAPE))
    optimizer = optimizer_of([weights], spec)
    schedule = schedule_of(optimizer, spec)
    used = [one.component for one in (spec.optimizer, spec.schedule) if isinstance(one, Chosen)]
    if not used:  # those of the reference do
        return
    with blaming(used, "fails at a step"):
        weights.grad = torch.ones(_SHAPE)
        optimizer.step()
        after_step(schedule)
        after_validation(schedule, 1.0)
    if not bool(torch.isfinite(weights).all()):
        raise BrokenPluginError(
            f"{used[0].kind} {used[0].qualified}: weights have to stay finite (got a sum of "
            f"{float(weights.detach().sum())} after a step). Lower training.learning_rate, or use another."
        )


def _chosen(kind: str, given: str | Chosen, **options: Any) -> Chosen:
    """A component that a spec names, or a built-in that it means by a word."""
    if isinstance(given, Chosen):
        return given
    row = installed_registry().find(kind, f"{BUILTIN}/{given}")
    return Chosen(component=row, options=row.load().Options(**options))


def _checked(made: object, cls: type[_Made], chosen: Chosen) -> _Made:
    if not isinstance(made, cls):
        row = chosen.component
        raise BrokenPluginError(
            f"{row.kind} {row.qualified}: over has to give a torch.optim {cls.__name__} (got "
            f"{type(made).__name__}). Mend it ({row.target_text}), or use another {row.kind}."
        )
    return made
