"""The first things that a spawned process does."""

import multiprocessing
import os
import signal
from threading import Thread

import torch


def begin(threads: int) -> None:
    """Compute with so many threads, and end with the process that was started by a person.

    Ctrl-C is for that one, which ends the others; they also end where it is killed.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(threads)


def _end_with_parent() -> None:
    """Wait for the end of the parent, which may have come before this process was ready to work."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
