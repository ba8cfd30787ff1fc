"""Timing of contestants in turns, A B C A B C, so that a disturbance of the machine affects all."""

import gc
import os
import time
from collections.abc import Callable, Mapping
from typing import Final

Work = Callable[[], float]
"""Function that does some work and returns the seconds it took."""


Clock = Callable[[], float]

CLOCKS: Final[dict[str, Clock]] = {"wall": time.perf_counter, "processor": time.process_time}
"""Elapsed seconds, and processor seconds of this process: with one thread on a busy machine, the latter are
about what the former would be on an idle one."""


def children_clock(name: str) -> Clock:
    """Return a clock of finished child processes, as ``CLOCKS`` are of this process."""
    if name == "wall":
        return time.perf_counter
    return lambda: sum(os.times()[2:4])


def timed(work: Callable[[], object], clock: Clock) -> Work:
    """Return a function that does some work and returns its seconds."""

    def measured() -> float:
        start = clock()
        work()
        return clock() - start

    return measured


def alternate(
    contestants: Mapping[str, Work], *, rounds: int, warm_up: int = 1
) -> dict[str, tuple[float, ...]]:
    """Return the seconds of every contestant in every round, after warm-up rounds.

    Args:
        contestants: contestants by name.
        rounds: number of rounds, at least 1.
        warm_up: number of rounds before, in which libraries choose kernels and memory is first touched.
    """
    for _ in range(warm_up):
        for work in contestants.values():
            work()
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    gc.collect()
    for _ in range(rounds):
        for name, work in contestants.items():
            seconds[name].append(work())
    return {name: tuple(values) for name, values in seconds.items()}
