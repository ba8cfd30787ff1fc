"""Guards for workers of a training that is called at the top level of a script."""

import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from denoisplit.core.errors import SpecError

MAIN_GUARD: Final = (
    "Other processes run the script that calls the training, too: where that is done at its top level, do it "
    "below 'if __name__ == \"__main__\":'"
)


def stop_in_worker() -> None:
    """End a worker that reaches the call of the training itself.

    A worker imports the script that started it (as ``__mp_main__``); code at its top level runs again, and
    would start further workers.
    """
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_globals.get("__name__") == "__mp_main__" and frame.f_code.co_name == "<module>":
            sys.exit(1)  # without a message: the process that started the worker prints it
        frame = frame.f_back


@contextmanager
def explained(workers: int) -> Iterator[None]:
    """Context that explains in one line why workers end at once.

    Raises:
        SpecError: a worker ended.
    """
    try:
        yield
    except RuntimeError as error:
        if not workers or "DataLoader worker" not in str(error):
            raise
        problem = f"training.workers: a worker process ended (got {workers} workers)"
        raise SpecError(f"{problem}. {MAIN_GUARD}, or set training.workers to 0.") from error
