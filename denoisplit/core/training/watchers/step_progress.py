"""Progress of a training: every step for a progress bar, every validation in the log."""

import logging
import time
from typing import Final, final

from torch import Tensor

from denoisplit.core.prediction.progress import Tell
from denoisplit.core.training.watchers.watching import Moment, Watcher

_LOG = logging.getLogger("denoisplit.training")

LOOK_SECONDS: Final = 1.0
"""Time between readings of the loss, seconds: a GPU has to finish a step before its loss can be read."""


@final
class StepProgress(Watcher):
    """Reports steps and loss, and logs every validation with the remaining time."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._begin = (0.0, 0)
        self._looked = -LOOK_SECONDS
        self._note = ""

    def begun(self, now: Moment) -> None:
        """Start the clock."""
        self._begin = (time.monotonic(), now.step)
        self._tell(now.step, now.steps)

    def stepped(self, now: Moment, loss: Tensor) -> None:
        """Report a step."""
        clock = time.monotonic()
        if clock - self._looked >= LOOK_SECONDS:
            self._looked, self._note = clock, f"loss {float(loss):.3f}"
        self._tell(now.step, now.steps, self._note)

    def validated(self, now: Moment) -> None:
        """Log the step, the losses and the remaining time."""
        started, first = self._begin
        rate = (time.monotonic() - started) / max(1, now.step - first)
        _LOG.info(
            "step %d of %d: loss %.4f, validation %.4f, %.2g s per step, %s",
            now.step,
            now.steps,
            now.values["train_loss"],
            now.values["val_loss"],
            rate,
            _left(rate * (now.steps - now.step)),
        )


def _left(seconds: float) -> str:
    """Remaining time in words."""
    if not seconds:
        return "steps done"
    return f"about {seconds / 60:.0f} min of steps left" if seconds >= 60 else "less than 1 min of steps left"
