"""The abstract base of schedules, which change the learning rate during a training."""

from abc import ABC, abstractmethod
from typing import Any, Literal

from torch.optim import Optimizer as Stepping
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

Better = Literal["min", "max"]
"""Whether lower or higher values of the monitored quantity are better."""


class Schedule(ABC):
    """Builds the scheduler of ``torch.optim.lr_scheduler`` that changes the learning rate in a training.

    A ``ReduceLROnPlateau`` is called at every validation, with the monitored value; any other at every step.
    ``training.learning_rate`` is the highest rate. A scheduler draws nothing at random, and has a state of
    plain numbers, which resume points carry.

    Nest a frozen attrs class ``Options``; the constructor takes an instance of it.

    Attributes:
        ends_low: whether the rate is low at the last step, whatever the validations. If so, the last weights
            are kept (``training.keep: auto``), and there is no early end.
    """

    ends_low: bool = False

    def __init__(self, options: Any) -> None:
        self.options = options

    @abstractmethod
    def over(self, optimizer: Stepping, *, steps: int, better: Better) -> LRScheduler:
        """Build the scheduler of an optimiser before its first step.

        Args:
            optimizer: optimiser whose groups have the learning rate of the training.
            steps: number of steps of the whole training.
            better: whether lower or higher monitored values are better.

        Raises:
            SpecError: it does not fit this number of steps.
        """


def after_step(scheduler: LRScheduler) -> None:
    """Update the learning rate after a step."""
    if not isinstance(scheduler, ReduceLROnPlateau):
        scheduler.step()


def after_validation(scheduler: LRScheduler, value: float) -> None:
    """Update the learning rate after a validation with this monitored value."""
    if isinstance(scheduler, ReduceLROnPlateau):
        scheduler.step(value)
