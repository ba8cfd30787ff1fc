"""The CSV log of a training."""

import csv
from pathlib import Path
from typing import Any, TextIO, final

from denoisplit.core.storage.atomic import replacing
from denoisplit.core.training.watching import Moment, RememberingWatcher


@final
class MetricsFile(RememberingWatcher):
    """One CSV row per validation: step, the training terms of that step, validation loss, learning rate."""

    key = "metrics"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: list[dict[str, str]] = []

    def begun(self, now: Moment) -> None:
        """Begin the file anew, with the rows until the point from which training goes on."""
        del now
        with replacing(self._path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            for row in self._rows:
                self._write(file, row, first=row is self._rows[0])

    def validated(self, now: Moment) -> None:
        """Append a row."""
        row = {"step": str(now.step), "learning_rate": f"{now.learning_rate:.6g}"}
        row |= {name: f"{value:.7g}" for name, value in sorted(now.values.items())}
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
