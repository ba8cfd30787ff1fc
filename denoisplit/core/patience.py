"""Waits that Ctrl-C ends, for calls that Python cannot interrupt."""

from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Final, TypeVar

Result = TypeVar("Result")

_LOOK: Final = 0.2
"""Seconds between two checks."""


def interruptible(call: Callable[[], Result]) -> Result:
    """Run a call in its own thread and return its result; an interrupted wait leaves the thread alone."""
    found: SimpleQueue[Result | BaseException] = SimpleQueue()

    def work() -> None:
        try:
            found.put(call())
        except BaseException as error:  # noqa: BLE001 (raised where it is waited for)
            found.put(error)

    Thread(target=work, daemon=True).start()
    while True:
        try:
            result = found.get(timeout=_LOOK)
        except Empty:
            continue
        if isinstance(result, BaseException):
            raise result
        return result
