"""Executors, which run the jobs of a prediction: their contract, and those of this process."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Executor as Pool
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Executor(ABC):
    """Starts the ``concurrent.futures`` executor that runs the jobs of a prediction.

    Attributes:
        options: the options, as given.
        elsewhere: whether other processes do the jobs and open the run and the image themselves. Whatever is
            submitted can then be pickled; results lie in files, and none is returned.
    """

    elsewhere: bool = False
    options: Any

    def __init__(self, options: Any = None) -> None:
        self.options = options

    def threads(self, workers: int) -> int:
        """How many of the workers are threads of this process and share its memory."""
        return 1 if self.elsewhere else workers

    @abstractmethod
    def start(self, workers: int) -> AbstractContextManager[Pool]:
        """Run this many jobs at a time until the context ends; jobs not begun by then are dropped.

        Raises:
            DenoisplitError: it cannot start, for example because no scheduler answers.
        """


class AtOnce(Pool):
    """Runs everything at once, in the calling thread."""

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> "Future[R]":
        """Run the function and return its finished future; an error is raised at once."""
        future: Future[R] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def pool_of(workers: int) -> Pool:
    """An executor with this many threads; a single worker needs none."""
    return AtOnce() if workers == 1 else ThreadPoolExecutor(max_workers=workers)
