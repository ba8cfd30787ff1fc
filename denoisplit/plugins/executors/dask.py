"""Executor: a Dask cluster, of this machine or one that runs already."""

import importlib
from collections.abc import Iterator
from concurrent.futures import Executor as Pool
from contextlib import ExitStack, contextmanager
from typing import Any, Final, final

import attrs

from denoisplit.core.errors import MissingPackageError, RunError
from denoisplit.core.prediction.executor import Executor

_SECONDS: Final = 10
"""For which a scheduler is waited for."""

_RETRIES: Final = 3
"""How often a job is done again whose worker ended."""


@final
class Dask(Executor):
    """Workers of a Dask scheduler, on any machines that see the same files; with the extra ``dask``."""

    elsewhere = True

    @attrs.frozen
    class Options:
        """Options of the executor.

        Attributes:
            scheduler: address of one that runs, such as ``tcp://host:8786``; empty starts workers here.
        """

        scheduler: str = ""

    options: Options

    @contextmanager
    def start(self, workers: int) -> Iterator[Pool]:
        """The workers of the scheduler, or so many of this machine.

        Raises:
            MissingPackageError: Dask is not installed.
            RunError: no scheduler answers.
        """
        with ExitStack() as stack:
            pool = self._client(workers, stack).get_executor(pure=False, retries=_RETRIES)
            try:
                yield pool
            finally:
                pool.shutdown(wait=False)  # which drops what has not begun

    def _client(self, workers: int, stack: ExitStack) -> Any:
        """A client that the stack closes."""
        try:
            distributed: Any = importlib.import_module("distributed")
        except ImportError as error:
            raise MissingPackageError(
                "executor dask: Dask is not installed (got no package distributed). "
                "Install 'denoisplit[dask]'."
            ) from error
        address = self.options.scheduler
        if not address:
            here = distributed.LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None)
            address = stack.enter_context(here)
        try:
            return stack.enter_context(distributed.Client(address, timeout=_SECONDS))
        except (OSError, ValueError) as error:
            raise RunError(
                f"executor dask: no scheduler answers (got {address}: {' '.join(str(error).split())}). "
                f"Start one with 'dask scheduler', or leave out its address."
            ) from error
