"""Measure h: cost of threads waiting for each other, alone and beside other programs."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from benchmarks.children import CHILD
from benchmarks.records import OURS, Row
from benchmarks.settings import Settings
from denoisplit.core.waiting import SPINS

CONTESTANTS: Final[Mapping[str, Mapping[str, str]]] = {
    OURS: {"GOMP_SPINCOUNT": str(SPINS)},
    "as OpenMP does by itself": {"GOMP_SPINCOUNT": ""},
    "GOMP_SPINCOUNT=100000": {"GOMP_SPINCOUNT": "100000"},
    "GOMP_SPINCOUNT=1000": {"GOMP_SPINCOUNT": "1000"},
    "OMP_WAIT_POLICY=PASSIVE": {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": ""},
}
"""Environment variables by contestant; an empty value unsets one."""

NEIGHBOURS: Final = (0, 2)
"""Numbers of other programs that never wait."""


def measure(settings: Settings) -> tuple[Row, ...]:
    """Measure the elapsed seconds of a step of a small network in two threads."""
    rows = []
    for count in NEIGHBOURS:
        found: dict[str, list[float]] = {who: [] for who in CONTESTANTS}
        with _neighbours(count):
            for _ in range(settings.fixed_rounds):
                for who, environment in CONTESTANTS.items():
                    found[who].append(_step(environment))
        case = f"step in 2 threads beside {count} busy programs"
        rows += [
            Row(case=case, contestant=who, unit="s", values=tuple(times)) for who, times in found.items()
        ]
    return tuple(rows)


def _step(environment: Mapping[str, str]) -> float:
    """Time a step in a process of its own, as torch reads the environment when it is loaded."""
    names = {name for choice in CONTESTANTS.values() for name in choice} | {"OMP_NUM_THREADS"}
    plain = {name: value for name, value in os.environ.items() if name not in names}
    chosen = {name: value for name, value in environment.items() if value}
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", CHILD, "step"], capture_output=True, text=True, env=plain | chosen, check=True
    )
    return float(done.stdout)


@contextmanager
def _neighbours(count: int) -> Iterator[None]:
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for one in busy:
            one.kill()
            one.wait()
