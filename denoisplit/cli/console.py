"""What commands say: results on stdout, progress and messages on stderr."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import rich.console
import rich.progress


@contextmanager
def messages() -> Iterator[None]:
    """Show what the library logs, one plain line each, while a command runs."""
    logger = logging.getLogger("denoisplit")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


@contextmanager
def progress(description: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on a terminal, nothing elsewhere; the callback takes (done, total)."""
    console = rich.console.Console(stderr=True)
    if not console.is_terminal:
        yield lambda _done, _total: None
        return
    with rich.progress.Progress(console=console, transient=True) as bar:
        task = bar.add_task(description, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def show(renderable: Any) -> None:
    """Print a rich table on stdout, wide enough for a file when stdout is none."""
    console = rich.console.Console(soft_wrap=False)
    if not console.is_terminal:
        console = rich.console.Console(width=110)
    console.print(renderable)
