"""Early end of a training."""

import logging
from typing import Any, Final, final

from denoisplit.core.training.steps.monitor import Monitor
from denoisplit.core.training.watchers.watching import Moment, RememberingWatcher

MIN_IMPROVEMENT: Final = 1e-6
"""Smallest improvement of the monitored value that counts."""


_LOG: Final = logging.getLogger("denoisplit.training")


@final
class EarlyEnd(RememberingWatcher):
    """Ends a training when validations no longer improve.

    Args:
        monitor: the monitored value.
        patience: number of validations without improvement before the end.
        every: steps between two validations.
    """

    key = "early end"

    def __init__(self, monitor: Monitor, patience: int, *, every: int) -> None:
        self._monitor, self._patience, self._every = monitor, patience, every
        self._best, self._waited = monitor.worst, 0

    @property
    def due(self) -> bool:
        """Whether the training should end."""
        return self._waited >= self._patience

    def validated(self, now: Moment) -> None:
        """Count validations since the last improvement."""
        value = now.values[self._monitor.name]
        if self._monitor.improves(value, self._best, by=MIN_IMPROVEMENT):
            self._best, self._waited = value, 0
        else:
            self._waited += 1
        if self.due and now.step < now.steps:
            _LOG.info(
                "no improvement of %s in %d validations since step %d, so the training ends "
                "(training.stop_patience)",
                *(self._monitor.name, self._waited, now.step - self._waited * self._every),
            )

    def state_dict(self) -> dict[str, Any]:
        """State: the best value, and the number of validations since."""
        return {"best": self._best, "waited": self._waited}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a saved state."""
        self._best, self._waited = state_dict["best"], state_dict["waited"]
