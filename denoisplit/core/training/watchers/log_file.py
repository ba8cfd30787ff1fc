"""Log file of a training."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import final


@final
class TrainingLog(logging.Handler):
    """Handler that keeps lines until there is a file for them, and then appends them to it."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(asctime)s %(message)s", datefmt="%Y-%m-%d %H:%M:%S"))
        self._path: Path | None = None
        self._kept: list[str] = []

    def go_to(self, path: Path) -> None:
        """Write the lines so far to the end of a file, and all further ones, too.

        Raises:
            OSError: the file cannot be created.
        """
        path.touch()
        self._path = path
        self._append()

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record."""
        self._kept.append(f"{self.format(record)}\n")
        self._append()

    def _append(self) -> None:
        """Append what is kept while there is room; a full disk is reported by the next resume point."""
        if self._path is None:
            return
        lines, self._kept = self._kept, []
        with suppress(OSError), self._path.open("a", encoding="utf-8") as file:
            file.writelines(lines)


@contextmanager
def training_log() -> Iterator[TrainingLog]:
    """Context whose log records go to the file that its log is told, those from before it as well.

    A training writes nothing until its images and its spec are found to be right, and has much to say until
    then.
    """
    root, log = logging.getLogger("denoisplit"), TrainingLog()
    before = root.level
    root.addHandler(log)
    root.setLevel(logging.INFO)
    try:
        yield log
    finally:
        root.removeHandler(log)
        root.setLevel(before)


@contextmanager
def log_file(path: Path) -> Iterator[None]:
    """Context in which all log records also go to a file."""
    with training_log() as log:
        log.go_to(path)
        yield
