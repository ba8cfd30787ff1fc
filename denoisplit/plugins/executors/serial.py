"""Executor: one job after the other, in this process."""

from concurrent.futures import Executor as Pool
from contextlib import AbstractContextManager

import attrs

from denoisplit.core.prediction.executor import Executor, pool_of


class Serial(Executor):
    """One job after the other, whatever the number of workers."""

    @attrs.frozen
    class Options:
        """The executor has no options."""

    def start(self, workers: int) -> AbstractContextManager[Pool]:
        """Use a single worker: this thread."""
        del workers
        return pool_of(1)
