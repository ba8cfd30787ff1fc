"""Every reader and loader takes damaged files: a result or one deliberate error, in bounded time and memory.

A short profile of ``make fuzz``, with the inputs that once gave something else.
"""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from tests.fuzz.engine import Sample, Target, fuzz, input_of, put
from tests.fuzz.targets import TARGETS

INPUTS: Final = 12


@pytest.mark.parametrize("name", TARGETS)
def test_a_damaged_file_gives_a_result_or_a_deliberate_error(name: str) -> None:
    findings = list(fuzz(TARGETS[name], seed=1, numbers=range(INPUTS)))
    assert not findings, "\n".join(f"{found.replay}\n{found.what}" for found in findings)


@pytest.mark.parametrize("name", TARGETS)
def test_whole_files_are_read(name: str, tmp_path: Path) -> None:
    target = TARGETS[name]
    for number, sample in enumerate(target.samples(tmp_path / "made")):
        put(tmp_path / str(number), sample.files)
        found = target.check(tmp_path / str(number) / sample.opened)
        if sample.pixels is not None:
            np.testing.assert_array_equal(found, sample.pixels)


def _crashes(path: Path) -> None:
    if path.read_bytes() == b"5":
        os.kill(os.getpid(), signal.SIGSEGV)


def _raises(path: Path) -> None:
    raise KeyError(path.read_bytes())


def _loops(path: Path) -> None:
    looping = path.read_bytes() == b"5"
    signal.setitimer(signal.ITIMER_PROF, 0.01 if looping else 10)  # not the ten seconds of the engine
    while looping:
        pass


@pytest.mark.parametrize(
    ("check", "what", "always"),
    [
        (_crashes, "a crash: SIGSEGV", False),
        (_raises, "KeyError", True),
        (_loops, "a loop: more than 10 s", False),
    ],
)
def test_the_engine_finds_crashes_loops_and_tracebacks_and_goes_on(
    check: Callable[[Path], None], what: str, always: bool
) -> None:
    sample = Sample({"a": b"0"}, {"a": lambda _, rng: rng.choice("05").encode()}, "a")
    target = Target("engine", lambda _: [sample], check)
    fives = sum(input_of([sample], "engine", 0, n).content == b"5" for n in range(8))
    assert 0 < fives < 8
    findings = list(fuzz(target, seed=0, numbers=range(8)))
    assert len(findings) == (8 if always else fives)
    assert all(finding.what.startswith(what) for finding in findings)
