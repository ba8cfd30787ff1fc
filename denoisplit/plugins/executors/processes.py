"""Executor: processes on this machine."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import Executor as Pool
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import final

import attrs
import torch
from attrs.validators import ge

from denoisplit.core.prediction.executor import Executor
from denoisplit.core.spawned import begin


@final
class Processes(Executor):
    """Spawned processes, each with a network of its own."""

    elsewhere = True

    @attrs.frozen
    class Options:
        """Options of the executor.

        Attributes:
            threads: threads of every process; 0 shares those of this process among them.
        """

        threads: int = attrs.field(default=0, validator=ge(0))

    options: Options

    @contextmanager
    def start(self, workers: int) -> Iterator[Pool]:
        """Start this many processes."""
        threads = self.options.threads or max(1, torch.get_num_threads() // workers)
        pool = ProcessPoolExecutor(
            max_workers=workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=begin,
            initargs=(threads,),
        )
        try:
            yield pool
        finally:
            pool.shutdown(cancel_futures=True)
