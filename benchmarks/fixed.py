"""Measure e: what is paid before the first pixel."""

import tempfile
from functools import partial
from pathlib import Path

from benchmarks.children import CHILD, run, seconds
from benchmarks.records import Row
from benchmarks.settings import Settings
from benchmarks.timing import Work, alternate

TILE = 256


def measure(settings: Settings) -> tuple[Row, ...]:
    """Seconds from the start of a process to its end."""
    architecture = settings.architectures[0]
    shape = [str(n) for n in (architecture.levels, architecture.width, architecture.latent)]
    with tempfile.TemporaryDirectory() as name:
        trained = Path(name) / "run"
        run("-m", CHILD, "store", str(trained), *shape)
        work: dict[str, Work] = {
            "python, nothing else": partial(seconds, "-c", "pass"),
            "import denoisplit": partial(seconds, "-c", "import denoisplit"),
            "denoisplit --help": partial(seconds, "-m", "denoisplit", "--help"),
            "denoisplit plugins list": partial(seconds, "-m", "denoisplit", "plugins", "list"),
            "open a run": partial(seconds, "-m", CHILD, "load", str(trained)),
            f"open a run, predict {TILE} x {TILE}": partial(
                seconds, "-m", CHILD, "tile", str(trained), str(TILE)
            ),
        }
        found = alternate(work, rounds=settings.fixed_rounds)
    return tuple(
        Row(case="start to end of a process", contestant=what, unit="s", values=values)
        for what, values in found.items()
    )
