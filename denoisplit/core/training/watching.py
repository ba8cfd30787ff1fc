"""What may look on at a training."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import attrs
from torch import Tensor

from denoisplit.core.network.vse import VSE


@attrs.frozen(kw_only=True)
class Moment:
    """How far a training is.

    Attributes:
        step: optimiser steps done.
        steps: of the whole training.
        vse: the network.
        learning_rate: of the next step.
        values: by name, of the last validation and of the step before it; empty until there was one.
    """

    step: int
    steps: int
    vse: VSE = attrs.field(eq=False, repr=False)
    learning_rate: float
    values: Mapping[str, float] = attrs.field(factory=dict)


class Watcher:
    """Looks on at a training; every method may be overridden, and none has to be."""

    def begun(self, now: Moment) -> None:
        """The next step is the first one, or the first one after a resume point."""

    def stepped(self, now: Moment, loss: Tensor) -> None:
        """A step is done; on a GPU, reading its loss waits until it really is."""

    def validated(self, now: Moment) -> None:
        """A validation is done."""

    def ended(self, now: Moment) -> None:
        """There is no step left to do."""


class RememberingWatcher(Watcher, ABC):
    """Looks on, and remembers: resume points carry its state.

    Attributes:
        key: of its state, within a training.
    """

    key: str

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Plain values and tensors."""

    @abstractmethod
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a saved state."""
