"""Executor: threads of this process."""

from collections.abc import Iterator
from concurrent.futures import Executor as Pool
from contextlib import contextmanager
from typing import final

from denoisplit.core.prediction.executor import Executor, pool_of
from denoisplit.core.validators import NoOptions


@final
class Threads(Executor):
    """Threads that share the network and the memory."""

    Options = NoOptions

    @contextmanager
    def start(self, workers: int) -> Iterator[Pool]:
        """Start this many threads; a single worker is the calling thread."""
        pool = pool_of(workers)
        try:
            yield pool
        finally:
            pool.shutdown(cancel_futures=True)
