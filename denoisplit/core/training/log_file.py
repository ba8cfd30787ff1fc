"""Log file of a training."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import final


@contextmanager
def log_file(path: Path) -> Iterator[None]:
    """Context in which all log records also go to a file."""
    path.touch()
    root = logging.getLogger("denoisplit")
    handler = _Lines(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", datefmt="%Y-%m-%d %H:%M:%S"))
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(before)


@final
class _Lines(logging.Handler):
    """Handler that appends lines while there is room; a full disk is reported by the next resume point."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def emit(self, record: logging.LogRecord) -> None:
        """Append a record."""
        with suppress(OSError), self._path.open("a", encoding="utf-8") as file:
            file.write(f"{self.format(record)}\n")
