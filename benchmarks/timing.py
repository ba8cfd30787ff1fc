"""Contestants in turns: A B C A B C, so that what disturbs the machine disturbs all."""

import gc
import os
import time
from collections.abc import Callable, Mapping
from typing import Final

Work = Callable[[], float]
"""One piece of work; returns the seconds it took."""


Clock = Callable[[], float]

CLOCKS: Final[dict[str, Clock]] = {"wall": time.perf_counter, "processor": time.process_time}
"""Seconds that pass, and seconds that this process computes: with one thread, and others busy on the machine,
the second kind is about what the first would be if it were alone."""


def children_clock(name: str) -> Clock:
    """Of the processes that were waited for, where ``CLOCKS`` are of this one."""
    if name == "wall":
        return time.perf_counter
    return lambda: sum(os.times()[2:4])


def timed(work: Callable[[], object], clock: Clock) -> Work:
    """Seconds of some work."""

    def measured() -> float:
        start = clock()
        work()
        return clock() - start

    return measured


def alternate(
    contestants: Mapping[str, Work], *, rounds: int, warm_up: int = 1
) -> dict[str, tuple[float, ...]]:
    """Seconds of every contestant in every round, after rounds that do not count.

    Args:
        contestants: by name.
        rounds: at least 1.
        warm_up: rounds before, in which libraries choose their kernels and memory is first touched.
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
