"""Executor: one job after the other, in this process."""

from concurrent.futures import Executor as Pool
from contextlib import AbstractContextManager

from denoisplit.core.prediction.executor import Executor, pool_of
from denoisplit.core.validators import NoOptions


class Serial(Executor):
    """One job after the other, whatever the number of workers."""

    Options = NoOptions

    def start(self, workers: int) -> AbstractContextManager[Pool]:
        """Use a single worker: this thread."""
        del workers
        return pool_of(1)
