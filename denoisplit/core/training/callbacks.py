"""What happens beside the training steps: resume points, the best weights, the CSV log."""

import csv
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback

from denoisplit.core.storage.atomic import replacing
from denoisplit.core.storage.states import save_weights
from denoisplit.core.training.monitor import Monitor


class ResumePoints(Callback):
    """Saves everything that training needs to go on, every ``every`` steps.

    It saves at the beginning of a step: by then the validation, the schedule and all other callbacks of the
    step before are done, so nothing is lost or repeated after a resume.
    """

    def __init__(self, path: Path, *, every: int) -> None:
        self._path, self._every = path, every

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Save when a multiple of ``every`` steps is done."""
        del pl_module, batch, batch_idx
        if trainer.global_step and trainer.global_step % self._every == 0:
            trainer.save_checkpoint(self._path)

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Go straight on with the next step.

        After a step with a validation, the trainer would else take a turn without batch and without
        validation, in which the schedule asks for the validation loss.
        """
        del pl_module
        trainer.fit_loop.epoch_loop.reset_restart_stage()

    def on_save_checkpoint(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Take back that the trainer has already counted the batch at whose beginning this is."""
        del trainer, pl_module
        progress = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
        for count in (progress["total"], progress["current"]):
            count["ready"] = count["completed"]


class BestWeights(Callback):
    """Keeps the weights with the best validation, and remembers its loss."""

    def __init__(self, path: Path, monitor: Monitor) -> None:
        self._path, self._monitor = path, monitor
        self._value = monitor.worst
        self.loss = float("inf")
        self.step = 0

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Save the weights when the validation is better than ever before."""
        value = float(trainer.callback_metrics[self._monitor.name])
        if trainer.sanity_checking or not self._monitor.improves(value, self._value):
            return
        self._value, self.loss = value, float(trainer.callback_metrics["val_loss"])
        self.step = trainer.global_step
        save_weights(self._path, pl_module.get_submodule("vse").state_dict())

    def state_dict(self) -> dict[str, Any]:
        """Best value so far, the loss there, and its step."""
        return {"value": self._value, "loss": self.loss, "step": self.step}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self._value, self.loss, self.step = (state_dict[key] for key in ("value", "loss", "step"))


class MetricsFile(Callback):
    """One CSV row per validation: step, the training terms of that step, validation loss, learning rate."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Drop rows that a killed run wrote after the point from which it resumes."""
        del pl_module
        if not self._path.exists():
            return
        with self._path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        kept = [
            row for row in rows if row.get("step", "").isdigit() and int(row["step"]) <= trainer.global_step
        ]
        with replacing(self._path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            if kept:
                writer = csv.DictWriter(file, fieldnames=list(kept[0]))
                writer.writeheader()
                writer.writerows(kept)

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Append a row."""
        del pl_module
        if trainer.sanity_checking:
            return
        row = {
            "step": str(trainer.global_step),
            "learning_rate": f"{trainer.optimizers[0].param_groups[0]['lr']:.6g}",
        }
        row |= {name: f"{float(value):.7g}" for name, value in sorted(trainer.callback_metrics.items())}
        fresh = not self._path.exists() or self._path.stat().st_size == 0
        with self._path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(row))
            if fresh:
                writer.writeheader()
            writer.writerow(row)
