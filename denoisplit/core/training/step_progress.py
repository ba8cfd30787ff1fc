"""How far the steps of a training have come: every step for who watches, a line per validation in the log."""

import logging
import time
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback

from denoisplit.core.prediction.progress import Tell

_LOG = logging.getLogger("denoisplit.training")

LOOK_SECONDS = 1.0
"""Between looks at the loss: a GPU has to finish a step before its loss can be read."""


class StepProgress(Callback):
    """Tells of steps done and of the loss, and logs every validation with the time that is left."""

    def __init__(self, steps: int, tell: Tell) -> None:
        self._steps, self._tell = steps, tell
        self._begin = (0.0, 0)
        self._looked = -LOOK_SECONDS
        self._note = ""

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start the clock."""
        del pl_module
        self._begin = (time.monotonic(), trainer.global_step)
        self._tell(trainer.global_step, self._steps)

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """A step is done."""
        del pl_module, batch, batch_idx
        now = time.monotonic()
        if now - self._looked >= LOOK_SECONDS:
            self._looked, self._note = now, f"loss {float(outputs['loss']):.3f}"
        self._tell(trainer.global_step, self._steps, self._note)

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Say where training is, how well it fits, and how long it will take."""
        del pl_module
        started, first = self._begin
        metrics = trainer.callback_metrics
        rate = (time.monotonic() - started) / max(1, trainer.global_step - first)
        _LOG.info(
            "step %d of %d: loss %.4f, validation %.4f, %.2g s per step, %s",
            trainer.global_step,
            self._steps,
            float(metrics["train_loss"]),
            float(metrics["val_loss"]),
            rate,
            _left(rate * (self._steps - trainer.global_step)),
        )


def _left(seconds: float) -> str:
    """The time to the last step in words."""
    if not seconds:
        return "steps done"
    return f"about {seconds / 60:.0f} min of steps left" if seconds >= 60 else "less than 1 min of steps left"
