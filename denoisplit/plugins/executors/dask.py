"""Executor: a Dask cluster, on this machine or already running elsewhere."""

import importlib
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Future
from concurrent.futures import Executor as Pool
from contextlib import ExitStack, contextmanager, suppress
from threading import Event, Thread
from typing import Any, Final, ParamSpec, TypeVar, final

import attrs
from attrs.validators import gt

from denoisplit.core.errors import MissingPackageError, RunError
from denoisplit.core.main_guard import can_start, guard
from denoisplit.core.prediction.executor import Executor

P = ParamSpec("P")
R = TypeVar("R")

_LOG: Final = logging.getLogger("denoisplit.prediction")

_SECONDS: Final = 10
"""How long to wait for a scheduler, and when to report that it has no workers."""

_CALM: Final = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "10s",
    # Dask makes workers return every freed array to the system at once (MALLOC_TRIM_THRESHOLD_), which then
    # clears the pages of the next: 38 % of the time of the network of the paper.
    "distributed.nanny.pre-spawn-environ": dict.fromkeys(
        ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), 1
    ),
}
"""Dask profiles itself 100 times a second: 5 % of a core while workers compute; with these, 2 %."""

_RETRIES: Final = 3
"""Number of times that a job is repeated when its worker ends."""


@final
class Dask(Executor):
    """Workers of a Dask scheduler, on any machines that see the same files; with the extra ``dask``."""

    elsewhere = True

    @attrs.frozen
    class Options:
        """Options of the executor.

        Attributes:
            scheduler: address of a running scheduler, such as ``tcp://host:8786``; empty starts workers here.
            patience: seconds to wait for a worker while there is none.
        """

        scheduler: str = ""
        patience: float = attrs.field(default=300.0, validator=gt(0))

    options: Options

    @contextmanager
    def start(self, workers: int) -> Iterator[Pool]:
        """Use the workers of the scheduler, or start this many on this machine.

        Raises:
            MissingPackageError: Dask is not installed.
            RunError: no scheduler answers, or it ended, or it has no workers.
            BrokenExecutor: a job ended its workers.
        """
        try:
            distributed: Any = importlib.import_module("distributed")
        except ImportError as error:
            raise MissingPackageError(
                "executor dask: Dask is not installed (got no package distributed). "
                "Install 'denoisplit[dask]'."
            ) from error
        with _unheard(), ExitStack() as stack:
            client = self._client(distributed, workers, stack)
            cluster = stack.enter_context(_Cluster(client, self.options.patience))
            try:
                yield cluster
            except distributed.KilledWorker as error:
                raise BrokenExecutor(str(error)) from error
            except (CancelledError, _NoLongerError) as error:
                raise RunError(cluster.why()) from error

    def _client(self, distributed: Any, workers: int, stack: ExitStack) -> Any:
        """Connect a client that the stack closes."""
        address: Any = self.options.scheduler
        if not address:
            address = stack.enter_context(_local(distributed, workers))
        try:
            return stack.enter_context(distributed.Client(address, timeout=_SECONDS))
        except (OSError, ValueError) as error:
            raise RunError(
                f"executor dask: no scheduler answers (got {address}: {' '.join(str(error).split())}). "
                f"Start one with 'dask scheduler', or leave out its address."
            ) from error


@contextmanager
def _unheard() -> Iterator[None]:
    """Silence what the client logs about a lost scheduler, for which our own error says what to do."""
    logger = logging.getLogger("distributed.client")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


def _local(distributed: Any, workers: int) -> Any:
    """Start a cluster on this machine, without the dashboard, whose port others may want."""
    settings: Any = importlib.import_module("dask.config")
    try:
        with settings.set(_CALM):
            return distributed.LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                dashboard_address=":0",
                scheduler_kwargs={"dashboard": False},
            )
    except RuntimeError as error:
        advice = "Go on with --resume." if can_start() else f"{guard()}."
        raise RunError(
            f"executor dask: the workers do not start (got: {' '.join(str(error).split())}). {advice}"
        ) from error


class _NoLongerError(Exception):
    """The pool takes no more jobs."""


@final
class _Cluster(Pool):
    """A pool whose jobs go to the workers of a client's scheduler, until there is none for too long."""

    def __init__(self, client: Any, patience: float) -> None:
        self._client, self._patience, self._without = client, patience, ""
        self._pool: Any = client.get_executor(pure=False, retries=_RETRIES)
        self._address, self._over = client.scheduler.address, Event()
        self._watch = Thread(target=self._look, daemon=True)
        self._watch.start()

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> "Future[R]":
        """Submit a job."""
        try:
            future: Future[R] = self._pool.submit(fn, *args, **kwargs)
        except Exception as error:
            if self._without or self._client.status != "running":
                raise _NoLongerError from error
            raise
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Cancel the jobs that have not begun."""
        del wait, cancel_futures
        self._over.set()
        self._watch.join(_SECONDS)
        self._pool.shutdown(wait=False)

    def why(self) -> str:
        """Return why no more jobs are done."""
        return self._without or (
            f"executor dask: the scheduler ended, or cannot be reached any more (got {self._address}). "
            f"Start one with 'dask scheduler', and go on with --resume."
        )

    def _look(self) -> None:
        """Look for workers once a second."""
        last, told = time.monotonic(), False
        while not self._over.wait(1):
            with suppress(Exception):  # whoever waits for a job notices that the scheduler ended
                if self._client.nthreads():
                    last, told = time.monotonic(), False
            waited = time.monotonic() - last
            if waited > self._patience:
                self._without = (
                    f"executor dask: the scheduler has no workers (got none for {self._patience:g} s at "
                    f"{self._address}). Start some with 'dask worker {self._address}', and go on with "
                    f"--resume."
                )
                self._pool.shutdown(wait=False)
                return
            if waited > _SECONDS and not told:
                told = True
                _LOG.warning("%s: no workers there; waiting for some", self._address)
