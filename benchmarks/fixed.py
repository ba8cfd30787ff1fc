"""Measure e: fixed costs before the first pixel."""

import tempfile
from pathlib import Path

from benchmarks.children import CHILD, run
from benchmarks.records import Row
from benchmarks.settings import Settings
from benchmarks.timing import Work, alternate, children_clock, timed

TILE = 256


def measure(settings: Settings) -> tuple[Row, ...]:
    """Measure seconds from the start of a process to its end."""
    clock = children_clock(settings.clock)

    def child(*words: str) -> Work:
        return timed(lambda: run(*words), clock)

    architecture = settings.architectures[0]
    shape = [str(n) for n in (architecture.levels, architecture.width, architecture.latent)]
    with tempfile.TemporaryDirectory() as name:
        trained = Path(name) / "run"
        run("-m", CHILD, "store", str(trained), *shape)
        work: dict[str, Work] = {
            "python, nothing else": child("-c", "pass"),
            "import denoisplit": child("-c", "import denoisplit"),
            "denoisplit --help": child("-m", "denoisplit", "--help"),
            "denoisplit plugins list": child("-m", "denoisplit", "plugins", "list"),
            "open a run": child("-m", CHILD, "load", str(trained)),
            f"open a run, predict {TILE} x {TILE}": child("-m", CHILD, "tile", str(trained), str(TILE)),
        }
        found = alternate(work, rounds=settings.fixed_rounds)
    return tuple(
        Row(case="start to end of a process", contestant=what, unit="s", values=values)
        for what, values in found.items()
    )
