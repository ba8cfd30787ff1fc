"""The optimiser of a training, and the schedule of its learning rate."""

from collections.abc import Iterable, Mapping
from typing import Final

from torch import nn
from torch.optim import Adamax, Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, ReduceLROnPlateau

from denoisplit.core.spec.records import TrainingSpec
from denoisplit.core.training.monitor import MONITORS

MIN_LEARNING_RATE: Final = 1e-12

Schedule = CosineAnnealingLR | ReduceLROnPlateau


def optimizer_of(parameters: Iterable[nn.Parameter], spec: TrainingSpec) -> Optimizer:
    """Adamax, as method section 6.1 says."""
    # One call for all tensors: hundreds of small calls take longer than what they compute.
    return Adamax(parameters, lr=spec.learning_rate, foreach=True)


def schedule_of(optimizer: Optimizer, spec: TrainingSpec) -> Schedule:
    """Halved on a plateau of what is monitored, or half a cosine wave over all steps."""
    if spec.schedule == "cosine":
        return CosineAnnealingLR(optimizer, T_max=spec.steps)
    return ReduceLROnPlateau(
        optimizer,
        mode=MONITORS[spec.monitor].mode,
        factor=spec.plateau_factor,
        patience=spec.plateau_patience,
        min_lr=MIN_LEARNING_RATE,
    )


def after_step(schedule: Schedule) -> None:
    """What a step changes."""
    if not isinstance(schedule, ReduceLROnPlateau):
        schedule.step()


def after_validation(schedule: Schedule, spec: TrainingSpec, values: Mapping[str, float]) -> None:
    """What a validation changes."""
    if isinstance(schedule, ReduceLROnPlateau):
        schedule.step(values[MONITORS[spec.monitor].name])
