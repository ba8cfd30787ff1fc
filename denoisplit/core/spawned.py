"""Start of a spawned process."""

import multiprocessing
import os
import signal
from threading import Thread

import torch


def begin(threads: int) -> None:
    """Compute with this many threads, and end together with the parent process.

    Ctrl-C ends the parent, which ends its children; they also end if it is killed.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(threads)


def _end_with_parent() -> None:
    """Wait for the end of the parent, which may have come before this process was ready."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
