"""Telling how far a long computation has come."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Progress = Callable[[int, int], None]
"""Called with how much is done and the total."""


class Tell(Protocol):
    """Progress that may have a word to say, such as the loss of a step."""

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """So much of the total is done."""


Stages = Callable[[str], AbstractContextManager[Tell]]
"""Shows the stage of a long computation: called with what is done, gives whom to tell while it is done."""


@contextmanager
def silent(what: str) -> Iterator[Tell]:
    """A stage that nobody watches."""
    del what

    def tell(done: int, total: int, note: str = "") -> None:
        del done, total, note

    yield tell


def part_of(progress: Progress, number: int, count: int) -> Progress:
    """Progress within one of ``count`` equal parts as progress of the whole."""
    return within(progress, number, 1, count)


def within(progress: Progress, before: int, size: int, whole: int) -> Progress:
    """Progress within a part of a size, before which so much was done, as progress of the whole."""
    return lambda done, total: progress(before * total + size * done, whole * total)
