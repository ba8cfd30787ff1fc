"""What commands say: results on stdout, progress and messages on stderr."""

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import rich.console

from denoisplit.cli.watch import Screen, screen
from denoisplit.core.inference.progress import Stages, Tell


@contextmanager
def messages() -> Iterator[Stages]:
    """Show what the library logs, and how far it has come, while a command runs."""
    logger = logging.getLogger("denoisplit")
    shown = screen()
    handler = _Shown(shown)
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield shown.stage
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


class _Shown(logging.Handler):
    """One line for every record."""

    def __init__(self, shown: Screen) -> None:
        super().__init__()
        self._shown = shown

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record; where nobody reads any more (a closed pipe), the command ends."""
        self._shown.say(record.getMessage())


def progress(what: str) -> AbstractContextManager[Tell]:
    """Show how far one stage has come; the context is the callback to tell (done, total)."""
    return screen().stage(what)


def show(renderable: Any) -> None:
    """Print a rich table on stdout, wide enough for a file when stdout is none."""
    console = rich.console.Console(soft_wrap=False)
    if not console.is_terminal:
        console = rich.console.Console(width=110)
    console.print(renderable)
