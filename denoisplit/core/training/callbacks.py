"""The CSV log of a training, and what plugins add."""

import csv
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

import lightning
from lightning.pytorch.callbacks import Callback

from denoisplit.core.registry import installed_registry
from denoisplit.core.spec.records import ResolvedSpec
from denoisplit.core.storage.atomic import replacing

_LOG = logging.getLogger("denoisplit.training")


def callbacks_of_plugins(spec: ResolvedSpec, out: Path) -> tuple[Callback, ...]:
    """What plugins add by their hook ``denoisplit_callbacks``; one that gives no callbacks is told.

    Args:
        spec: of the training.
        out: the run folder.
    """
    found: list[Callback] = []
    for package, answer in installed_registry().plugins.call("denoisplit_callbacks", spec=spec, out=out):
        answers = answer if isinstance(answer, Sequence) else (answer,)
        found += (one for one in answers if isinstance(one, Callback))
        for other in (one for one in answers if not isinstance(one, Callback)):
            _LOG.warning("package %s: gives no Lightning callback (got %r). It is left out.", package, other)
    return tuple(found)


class MetricsFile(Callback):
    """One CSV row per validation: step, the training terms of that step, validation loss, learning rate."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: list[dict[str, str]] = []

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Begin the file anew, with the rows until the point from which training goes on."""
        del trainer, pl_module
        with replacing(self._path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            for row in self._rows:
                self._write(file, row, first=row is self._rows[0])

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
        self._rows.append(row)
        with self._path.open("a", newline="", encoding="utf-8") as file:
            self._write(file, row, first=len(self._rows) == 1)

    def state_dict(self) -> dict[str, Any]:
        """All rows: the file may be damaged or ahead when training goes on."""
        return {"rows": self._rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self._rows = list(state_dict["rows"])

    @staticmethod
    def _write(file: TextIO, row: dict[str, str], *, first: bool) -> None:
        writer = csv.DictWriter(file, fieldnames=list(row))
        if first:
            writer.writeheader()
        writer.writerow(row)
