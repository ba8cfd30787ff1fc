"""How threads of OpenMP wait for each other: they spin for a bounded time, then they sleep."""

from collections.abc import MutableMapping
from typing import Final

SPINS: Final = 10_000
"""Turns of the loop in which a thread waits awake: some ten microseconds (docs/performance-training.md)."""

CHOICES: Final = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
"""Variables of the environment by which somebody has chosen."""


def bound_spinning(environment: MutableMapping[str, str]) -> None:
    """Bound the spinning of GNU's OpenMP, which torch brings along on Linux, unless somebody has chosen it.

    It reads the environment when torch is loaded. By default its threads spin for milliseconds at the end of
    every operation. Where other programs use the processor, the thread that they wait for may not even run:
    then a training takes many times as long, and burns the processor meanwhile.
    """
    if not any(name in environment for name in CHOICES):
        environment[CHOICES[0]] = str(SPINS)
