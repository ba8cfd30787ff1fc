"""Contestants in turns: A B C A B C, so that what disturbs the machine disturbs all."""

import gc
import time
from collections.abc import Callable, Mapping

Work = Callable[[], float]
"""One piece of work; returns the seconds it took."""


def timed(work: Callable[[], object]) -> Work:
    """Work that is timed by the clock on the wall."""

    def measured() -> float:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

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
