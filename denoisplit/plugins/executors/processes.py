"""Executor: processes of this machine."""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from concurrent.futures import Executor as Pool
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from threading import Thread
from typing import final

import attrs
import torch
from attrs.validators import ge

from denoisplit.core.prediction.executor import Executor


@final
class Processes(Executor):
    """Spawned processes, each with a network of its own."""

    elsewhere = True

    @attrs.frozen
    class Options:
        """Options of the executor.

        Attributes:
            threads: of every process; 0 shares those of this one among them.
        """

        threads: int = attrs.field(default=0, validator=ge(0))

    options: Options

    @contextmanager
    def start(self, workers: int) -> Iterator[Pool]:
        """So many processes."""
        threads = self.options.threads or max(1, torch.get_num_threads() // workers)
        pool = ProcessPoolExecutor(
            max_workers=workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin,
            initargs=(threads,),
        )
        try:
            yield pool
        finally:
            pool.shutdown(cancel_futures=True)


def _begin(threads: int) -> None:
    """Ctrl-C is for the process that was started; it ends the others, which also end where it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(threads)


def _end_with_parent() -> None:
    """Wait for the end of the parent, which may have come before this process was ready to work."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
