"""Waiting of OpenMP threads: they spin for a bounded time, then sleep, or there is only one."""

from collections.abc import MutableMapping
from typing import Final

SPINS: Final = 10_000
"""Loop iterations for which a waiting thread spins: some ten microseconds (docs/performance-training.md)."""

CHOICES: Final = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
"""Environment variables by which the user may have chosen."""


def bound_spinning(environment: MutableMapping[str, str]) -> None:
    """Bound the spinning of GNU's OpenMP, which comes with torch on Linux, unless the user has chosen it.

    OpenMP reads the environment when torch is loaded. By default its threads spin for milliseconds at the end
    of every operation. If other programs use the processor, the thread that they wait for may not even be
    running: then a training takes many times as long, and burns the processor meanwhile.
    """
    if not any(name in environment for name in CHOICES):
        environment[CHOICES[0]] = str(SPINS)


def take_one_thread(environment: MutableMapping[str, str]) -> None:
    """Compute in one thread, unless the user has chosen a number; before torch is loaded.

    For networks so small that threads spend their time on waiting for each other.
    """
    environment.setdefault("OMP_NUM_THREADS", "1")
