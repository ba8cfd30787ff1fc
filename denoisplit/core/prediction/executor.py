"""Where the jobs of a prediction are done: the contract of executors, and the ways of this process."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Executor as Pool
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Executor(ABC):
    """Gives the executor of ``concurrent.futures`` that does the jobs of a prediction.

    Attributes:
        options: as given.
        elsewhere: whether jobs are done by other processes, which open the run and the image for themselves.
            What is submitted can be pickled then; results lie in files, and none comes back.
    """

    elsewhere: bool = False
    options: Any

    def __init__(self, options: Any = None) -> None:
        self.options = options

    def threads(self, workers: int) -> int:
        """How many of so many workers are threads of this process, and share its memory."""
        return 1 if self.elsewhere else workers

    @abstractmethod
    def start(self, workers: int) -> AbstractContextManager[Pool]:
        """So many jobs at the same time, until the context ends; jobs that have not begun then are dropped.

        Raises:
            DenoisplitError: it cannot begin, for example as no scheduler answers.
        """


class AtOnce(Pool):
    """Does everything where and when it is submitted."""

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> "Future[R]":
        """The finished work; an error is raised at once."""
        future: Future[R] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def pool_of(workers: int) -> Pool:
    """So many threads; none is started for a single worker."""
    return AtOnce() if workers == 1 else ThreadPoolExecutor(max_workers=workers)
