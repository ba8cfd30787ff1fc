"""Workers of a training that end: as they start, and later."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from denoisplit.core.errors import DenoisplitError, SpecError
from denoisplit.core.main_guard import can_start, guard

_NONE: Final = "set training.workers to 0"


def require_start(workers: int) -> None:
    """Refuse workers that end as they start.

    The loader would wait for ever: it writes the images into a pipe that it keeps open at both ends.

    Raises:
        SpecError: they do.
    """
    if workers and not can_start():
        problem = f"training.workers: a worker process ended as it started (got {workers})"
        raise SpecError(f"{problem}. {guard()}, or {_NONE}.")


@contextmanager
def explained(workers: int) -> Iterator[None]:
    """Context that explains in one line that workers ended, or what one of them refuses.

    Raises:
        SpecError: a worker ended.
        DenoisplitError: that of a worker, to which torch has added a traceback.
    """
    try:
        yield
    except DenoisplitError as error:
        cls = type(error)
        _, added, own = str(error).rpartition(f"{cls.__module__}.{cls.__qualname__}: ")
        if not workers or not added:
            raise
        raise cls(own.strip()) from error
    except RuntimeError as error:
        if not workers or "DataLoader worker" not in str(error):
            raise
        problem = f"training.workers: a worker process ended (got {workers})"
        advice = f"Give it more memory, in a container also more shared memory, or {_NONE}."
        raise SpecError(f"{problem}. {advice}") from error
