"""Progress of long computations."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Progress = Callable[[int, int], None]
"""A function that is called with the amount done and the total."""


class Tell(Protocol):
    """Progress with an optional note, such as the loss of a step."""

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Report how much of the total is done."""


Stages = Callable[[str], AbstractContextManager[Tell]]
"""A function from the name of a stage to a context, which gives the function that reports its progress."""


@contextmanager
def silent(what: str) -> Iterator[Tell]:
    """A stage that reports nothing."""
    del what

    def tell(done: int, total: int, note: str = "") -> None:
        del done, total, note

    yield tell


def part_of(progress: Progress, number: int, count: int) -> Progress:
    """Progress within one of ``count`` equal parts as progress of the whole."""
    return within(progress, number, 1, count)


def within(progress: Progress, before: int, size: int, whole: int) -> Progress:
    """Progress within a part of a given size, after ``before`` is done, as progress of the whole."""
    return lambda done, total: progress(before * total + size * done, whole * total)
