"""Output of commands: results on stdout, progress and messages on stderr.

Commands that only print lines import neither rich nor the stages of long computations.
"""

from __future__ import annotations

import functools
import logging
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import click

from denoisplit.core.errors import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from rich.table import Table

    from denoisplit.cli.watch import Screen
    from denoisplit.core.prediction.progress import Stages, Tell

FILE_COLUMNS: Final = 110
"""Columns of tables where there is no terminal."""

_PLUGINS: Final = "denoisplit.plugins"


def tell_next(run: Path) -> None:
    """Print the command that predicts with a new run."""
    command = ("denoisplit", "predict", run, "IMAGE", "--out", "PREDICTION.ome.tif")
    click.echo(f"Next: {quoted(command)}")


def plugin_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option that imports plugin modules to a command that uses components."""

    @functools.wraps(command)
    def with_plugins(*args: Any, plugin_modules: tuple[str, ...], **kwargs: Any) -> Any:
        if plugin_modules:
            from denoisplit.core.registry.modules import import_plugin_module
            from denoisplit.core.registry.registry import installed_registry

            for module in plugin_modules:
                import_plugin_module(module, installed_registry())
            click.get_current_context().meta[_PLUGINS] = plugin_modules
        return command(*args, **kwargs)

    return click.option(
        "--plugin",
        "plugin_modules",
        multiple=True,
        metavar="MODULE",
        help="Import a module, or a .py file, that registers components; repeatable.",
    )(with_plugins)


def override_option(
    meaning: str, option: str = "--set", name: str = "overrides"
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add a repeatable option that overrides values of a spec."""
    return click.option(option, name, multiple=True, metavar="A.B=C", help=meaning)


def plugin_words() -> tuple[str, ...]:
    """Return the given plugin modules as words of the command line."""
    modules: tuple[str, ...] = click.get_current_context().meta.get(_PLUGINS, ())
    return tuple(word for module in modules for word in ("--plugin", module))


@contextmanager
def messages() -> Iterator[Stages]:
    """Show the library's log messages and progress while a command runs."""
    from denoisplit.cli.watch import screen

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
    """Log handler that shows one line per record, and a warning once: images may be read more than once."""

    def __init__(self, shown: Screen) -> None:
        super().__init__()
        self._shown = shown
        self._warned: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record; where nobody reads any more (a closed pipe), the command ends."""
        line = record.getMessage()
        if line in self._warned:
            return
        if record.levelno >= logging.WARNING:
            self._warned.add(line)
        self._shown.say(line)


def progress(what: str) -> AbstractContextManager[Tell]:
    """Show the progress of a stage; the context gives the callback for (done, total)."""
    from denoisplit.cli.watch import screen

    return screen().stage(what)


def show(table: Table) -> None:
    """Print a table on stdout, as wide as the terminal allows, or wide enough for a file."""
    import rich.console

    from denoisplit.cli.fitted_tables import fitted

    console = rich.console.Console()
    if not console.is_terminal:
        console = rich.console.Console(width=FILE_COLUMNS)
    console.print(fitted(table, console))


def columns() -> int | None:
    """Return the columns of the terminal that stdout is; None where it is not a terminal."""
    if not sys.stdout.isatty():
        return None
    import rich.console

    return rich.console.Console().width


def say(line: str, *, hanging: int | None = None) -> None:
    """Print a line of prose on stdout; on a terminal, it is wrapped between words.

    Args:
        line: the text, without code or commands, which users copy as they are.
        hanging: indentation of the lines after the first; None for two more than that of the first.
    """
    if (width := columns()) is not None:
        from denoisplit.cli.watch import wrapped

        line = wrapped(line, width, hanging=hanging)
    click.echo(line)
