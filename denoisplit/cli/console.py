"""What commands say: results on stdout, progress and messages on stderr."""

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

import click
import rich.console
from rich.table import Table

from denoisplit.cli.tables import fitted
from denoisplit.cli.watch import Screen, screen, wrapped
from denoisplit.core.inference.progress import Stages, Tell

FILE_COLUMNS: Final = 110
"""Columns of tables where no terminal says how many there are."""


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


def show(table: Table) -> None:
    """Print a table on stdout, as wide as the terminal allows, or wide enough for a file."""
    console = rich.console.Console()
    if not console.is_terminal:
        console = rich.console.Console(width=FILE_COLUMNS)
    console.print(fitted(table, console))


def columns() -> int | None:
    """Of the terminal that stdout is; None where it is none."""
    console = rich.console.Console()
    return console.width if console.is_terminal else None


def say(line: str, *, hanging: int | None = None) -> None:
    """Print a line of prose on stdout; on a terminal, it is wrapped between words.

    Args:
        line: no code and no command, for these are to be copied as they are.
        hanging: spaces before what follows the first line; None for two more than the line begins with.
    """
    width = columns()
    click.echo(line if width is None else wrapped(line, width, hanging=hanging))
