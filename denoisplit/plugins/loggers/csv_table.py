"""Logger: a table in the run folder."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TextIO

from denoisplit.core.staging import staged
from denoisplit.core.training.logger import Logger
from denoisplit.core.validators import NoOptions

FILE: Final = "metrics.csv"


class CsvTable(Logger):
    """One row of ``metrics.csv`` per validation: step, learning rate, and all numbers by name.

    Every run has one. Resume points contain the rows, as the file may be damaged or ahead of them.
    """

    Options = NoOptions

    def __init__(self, options: NoOptions, *, folder: Path) -> None:
        super().__init__(options, folder=folder)
        self._rows: list[dict[str, str]] = []

    def begin(self, about: Mapping[str, Any], *, step: int) -> None:
        """Write the file anew, with the rows up to the point where training resumes."""
        del about, step
        with staged(self.folder / FILE) as new, new.open("w", newline="", encoding="utf-8") as file:
            for row in self._rows:
                self._write(file, row, first=row is self._rows[0])

    def values(self, step: int, numbers: Mapping[str, float]) -> None:
        """Append a row."""
        row = {"step": str(step), "learning_rate": f"{numbers['learning_rate']:.6g}"}
        row |= {name: f"{value:.7g}" for name, value in sorted(numbers.items()) if name not in row}
        self._rows.append(row)
        with (self.folder / FILE).open("a", newline="", encoding="utf-8") as file:
            self._write(file, row, first=len(self._rows) == 1)

    def state_dict(self) -> dict[str, Any]:
        """Return all rows."""
        return {"rows": self._rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the rows of a saved state."""
        self._rows = list(state_dict["rows"])

    @staticmethod
    def _write(file: TextIO, row: dict[str, str], *, first: bool) -> None:
        writer = csv.DictWriter(file, fieldnames=list(row))
        if first:
            writer.writeheader()
        writer.writerow(row)
