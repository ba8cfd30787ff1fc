"""An executor whose workers stay from one prediction to the next."""

from collections.abc import Iterator
from concurrent.futures import Executor as Pool
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import final

from denoisplit.core.prediction.executor import Executor


@final
class Kept(Executor):
    """Starts an executor once for many predictions, and again after one that failed.

    Args:
        executor: the executor, kept until the context ends.
    """

    def __init__(self, executor: Executor) -> None:
        super().__init__(executor.options)
        self.elsewhere = executor.elsewhere
        self._executor, self._stack = executor, ExitStack()
        self._pool: Pool | None = None

    def __enter__(self) -> "Kept":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool = None
        self._stack.close()

    @contextmanager
    def start(self, workers: int) -> Iterator[Pool]:
        """Use the running workers, or start this many."""
        if self._pool is None:
            self._pool = self._stack.enter_context(self._executor.start(workers))
        try:
            yield self._pool
        except BaseException:
            self._pool = None
            with self._stack.pop_all():  # sees the error too, and may add to its message
                raise
