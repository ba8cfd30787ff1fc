"""The abstract base of schedules: how the learning rate changes in the course of a training."""

from abc import ABC, abstractmethod
from typing import Any, Literal

from torch.optim import Optimizer as Stepping
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

Better = Literal["min", "max"]
"""Whether lower or higher values of what a validation looks at are better."""


class Schedule(ABC):
    """Gives the scheduler of ``torch.optim.lr_scheduler`` that changes the learning rate of a training.

    A ``ReduceLROnPlateau`` goes on at every validation, with the value that is monitored; any other at every
    step. ``training.learning_rate`` is the highest rate that there is. A scheduler draws nothing at random,
    and has a state of plain numbers, as resume points carry it.

    Nest a frozen attrs class ``Options``; the constructor takes an instance of it.

    Attributes:
        ends_low: whether the rate is low at the last step, however the validations go. Then the last weights
            are the ones to keep (``training.keep: auto``), and there is no early end.
    """

    ends_low: bool = False

    def __init__(self, options: Any) -> None:
        self.options = options

    @abstractmethod
    def over(self, optimizer: Stepping, *, steps: int, better: Better) -> LRScheduler:
        """The scheduler of an optimiser before its first step.

        Args:
            optimizer: whose groups have the learning rate of the training.
            steps: of the whole training.
            better: of what is monitored.

        Raises:
            SpecError: it does not fit so many steps.
        """


def after_step(scheduler: LRScheduler) -> None:
    """What a step changes."""
    if not isinstance(scheduler, ReduceLROnPlateau):
        scheduler.step()


def after_validation(scheduler: LRScheduler, value: float) -> None:
    """What a validation changes, which found this value of what is monitored."""
    if isinstance(scheduler, ReduceLROnPlateau):
        scheduler.step(value)
