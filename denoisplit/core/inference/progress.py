"""Progress of a prediction, as whoever waits for it is told."""

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with the number of finished steps and their total."""


def share(progress: Progress, number: int, count: int) -> Progress:
    """Progress within one of ``count`` equal parts as progress of the whole."""
    return lambda done, total: progress(number * total + done, count * total)
