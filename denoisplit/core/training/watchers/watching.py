"""Watchers, the observers of a training."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import attrs
from torch import Tensor

from denoisplit.core.network.vse import VSE


@attrs.frozen(kw_only=True)
class Moment:
    """State of a training at one moment.

    Attributes:
        step: optimiser steps done.
        steps: number of steps of the whole training.
        vse: the network.
        learning_rate: learning rate of the next step.
        values: values of the last validation, and of the step before it, by name; empty before the first one.
    """

    step: int
    steps: int
    vse: VSE = attrs.field(eq=False, repr=False)
    learning_rate: float
    values: Mapping[str, float] = attrs.field(factory=dict)


class Watcher:
    """Observer of a training; every method may be overridden, and none has to be.

    Example::

        class Best(Watcher):
            loss = math.inf

            def validated(self, now: Moment) -> None:
                self.loss = min(self.loss, now.values["val_loss"])
    """

    def begun(self, now: Moment) -> None:
        """Called before the first step, or the first one after a resume point."""

    def stepped(self, now: Moment, loss: Tensor) -> None:
        """Called after a step; on a GPU, reading its loss waits until the step is done."""

    def validated(self, now: Moment) -> None:
        """Called after a validation."""

    def ended(self, now: Moment) -> None:
        """Called after the last step."""


class RememberingWatcher(Watcher, ABC):
    """Watcher with a state, which resume points carry.

    Attributes:
        key: key of its state, unique within a training.
    """

    key: str

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """State, as plain values and tensors."""

    @abstractmethod
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a saved state; it is empty if the training was begun without this watcher."""
