"""Tries a suite against a mutated module: in a forked process, with everything imported, up to a failure."""

import ast
import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import attrs

from denoisplit.testing.examination import Law, laws, verdict
from denoisplit.testing.suite import ComponentTests
from tools.mutants.live import install
from tools.mutants.operators import Mutation, mutated

SURVIVED: Final = "survived"
IDLE: Final = "not installed"
"""No function that is loaded has the mutated code."""

TIME: Final = "took too long"


@attrs.frozen(kw_only=True)
class Timed:
    """The laws of a suite, the quickest first, and how long all of them take, s."""

    laws: tuple[Law, ...]
    seconds: float


def timed(suite: type[ComponentTests]) -> Timed:
    """Try all laws in a forked process, which keeps nothing of what they compute here.

    Raises:
        RuntimeError: a law fails without a mutation.
    """
    every = list(laws(suite))

    def measure() -> str:
        lines = []
        for law in every:
            start = time.perf_counter()
            found = verdict(law)
            if found.outcome == "fails":
                return f"{found.law} ({found.case}): {found.reason}"
            lines.append(f"{time.perf_counter() - start:.6f}")
        return "\n".join(lines)

    answer = _forked(measure, limit=600.0)
    try:
        seconds = [float(line) for line in answer.splitlines()]
    except ValueError as error:
        raise RuntimeError(f"mutants: the suite fails without a mutation: {answer}") from error
    order = sorted(range(len(every)), key=lambda n: seconds[n])
    return Timed(laws=tuple(every[n] for n in order), seconds=sum(seconds))


def tried(suites: Sequence[Timed], path: Path, mutation: Mutation) -> str:
    """What became of a mutant: the law that killed it, or ``SURVIVED``, ``IDLE`` or ``TIME``."""
    source = path.read_text(encoding="utf-8")

    def attempt() -> str:
        tree: ast.Module = mutated(source, mutation)
        if not install(tree, str(path)):
            return IDLE
        for law in (law for suite in suites for law in suite.laws):
            if verdict(law).outcome == "fails":
                return f"{law.name} {law.case}".strip()
        return SURVIVED

    return _forked(attempt, limit=20.0 + 5 * sum(suite.seconds for suite in suites)) or TIME


def _forked(work: Callable[[], str], *, limit: float) -> str:
    """What a function gives in a child process; empty where it takes too long or ends the process."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        with contextlib.suppress(BaseException), Path(os.devnull).open("w") as nothing:
            sys.stdout = sys.stderr = nothing
            os.write(writing, work().encode()[:60_000])
        os._exit(0)
    os.close(writing)
    answer = b""
    end = time.monotonic() + limit
    while select.select([reading], [], [], max(0.0, end - time.monotonic()))[0]:
        part = os.read(reading, 1 << 16)
        if not part:
            break
        answer += part
    else:
        os.kill(child, signal.SIGKILL)
    os.close(reading)
    os.waitpid(child, 0)
    return answer.decode()
