"""Scripts that start processes at their top level, which every such process runs again."""

import inspect
import multiprocessing
import sys
from pathlib import Path
from typing import Final

MAIN_GUARD: Final = (
    "Other processes run the script that starts them, too: put what it does at its top level below "
    "'if __name__ == \"__main__\":'"
)
"""What to do about processes that end as they start, without the full stop."""


def stop_in_worker() -> None:
    """End a worker that reaches the call that starts workers.

    A worker imports the script that started it (as ``__mp_main__``); code at its top level runs again, and
    would start further workers.
    """
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_globals.get("__name__") == "__mp_main__" and frame.f_code.co_name == "<module>":
            sys.exit(1)  # without a message: the process that started the worker prints it
        frame = frame.f_back


def can_start() -> bool:
    """Whether a process that this one starts gets as far as its work; starts one to see."""
    process = multiprocessing.get_context("spawn").Process(target=_work)
    process.start()
    process.join()
    return process.exitcode == 0


def guard() -> str:
    """What to do about processes that end as they start; a script has to be a file before all else."""
    script = getattr(sys.modules["__main__"], "__file__", None)
    if script is not None and not Path(script).is_file():
        return f"Other processes run the script that starts them, too: save it to a file (got {script})"
    return MAIN_GUARD


def _work() -> None:
    """Do nothing."""
