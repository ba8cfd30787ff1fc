"""Telling how far a long computation has come."""

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with how much is done and the total."""


def part_of(progress: Progress, number: int, count: int) -> Progress:
    """Progress within one of ``count`` equal parts as progress of the whole."""
    return lambda done, total: progress(number * total + done, count * total)
