"""Interruption of commands by Ctrl-C, or by SIGTERM, which batch systems and containers send."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

from denoisplit.core.errors import quoted

INTERRUPTED: Final = 130
TERMINATED: Final = 143
"""Exit codes that shells give to commands ended by a signal."""


class Terminated(KeyboardInterrupt):
    """SIGTERM was received. It ends a command like an interrupt; only message and exit code differ."""


@contextmanager
def terminable() -> Iterator[None]:
    """Raise ``Terminated`` on SIGTERM, so that temporary files are removed and the exit code tells.

    Only the main thread can do this, and if a parent process ignores SIGTERM, so does the command.
    """
    before = signal.getsignal(signal.SIGTERM)
    main_thread = threading.current_thread() is threading.main_thread()
    if not main_thread or before is None or before is signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise Terminated


@contextmanager
def continued_by(*command: str, of: Path) -> Iterator[None]:
    """Attach to an interrupt the command that continues the interrupted work.

    Args:
        command: words of that command.
        of: path that exists once there is work to continue.
    """
    try:
        yield
    except KeyboardInterrupt as stop:
        if of.exists():
            stop.args = (f"Continue with: {quoted(command)}",)
        raise


def farewell(stop: KeyboardInterrupt) -> tuple[str, int]:
    """Return the line to print about an interrupt, and the exit code."""
    terminated = isinstance(stop, Terminated)
    words = ["Terminated." if terminated else "Interrupted.", *map(str, stop.args)]
    return " ".join(words), TERMINATED if terminated else INTERRUPTED
