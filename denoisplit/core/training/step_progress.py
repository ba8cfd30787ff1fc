"""How far the steps of a training have come: every step for who watches, a line per validation in the log."""

import logging
import time
from typing import Final, final

from torch import Tensor

from denoisplit.core.prediction.progress import Tell
from denoisplit.core.training.watching import Moment, Watcher

_LOG = logging.getLogger("denoisplit.training")

LOOK_SECONDS: Final = 1.0
"""Between looks at the loss: a GPU has to finish a step before its loss can be read."""


@final
class StepProgress(Watcher):
    """Tells of steps done and of the loss, and logs every validation with the time that is left."""

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
        """A step is done."""
        clock = time.monotonic()
        if clock - self._looked >= LOOK_SECONDS:
            self._looked, self._note = clock, f"loss {float(loss):.3f}"
        self._tell(now.step, now.steps, self._note)

    def validated(self, now: Moment) -> None:
        """Say where training is, how well it fits, and how long it will take."""
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
    """The time to the last step in words."""
    if not seconds:
        return "steps done"
    return f"about {seconds / 60:.0f} min of steps left" if seconds >= 60 else "less than 1 min of steps left"
