"""Trial of suites on a mutated module: in a forked process, with everything imported, up to a failure."""

import ast
import contextlib
import importlib
import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

import attrs

from denoisplit.testing.examination import Law, laws, verdict
from denoisplit.testing.suite import ComponentTests
from tools.mutants.live import install
from tools.mutants.operators import Mutation, mutated

SURVIVED: Final = "survived"
IDLE: Final = "not installed"
"""Fate of a mutant whose code no loaded function has."""

TIME: Final = "took too long"

MEMORY: Final = 2**33
"""Most memory of a trial, bytes: a mistaken size must not take what other programs need."""


Called = frozenset[tuple[str, str]]
"""Functions by path and name."""


@attrs.frozen(kw_only=True)
class Timed:
    """A suite with its timing.

    Attributes:
        laws: the laws, quickest first.
        seconds: time of all laws.
        calls: functions that they call, in this process.
    """

    laws: tuple[Law, ...]
    seconds: float
    calls: Called


def timed(suite: type[ComponentTests]) -> Timed:
    """Try all laws in a forked process, so that nothing they compute is cached in this one.

    Raises:
        RuntimeError: a law fails without a mutation.
    """
    every = list(laws(suite))

    def measure() -> str:
        _look_here()
        seconds, failing = [], ""
        with _watched() as codes:
            for law in every:
                start = time.perf_counter()
                found = verdict(law)
                seconds.append(time.perf_counter() - start)
                if found.outcome == "fails":
                    failing = f"{found.law} ({found.case}): {found.reason}"
                    break
        calls = sorted({(code.co_filename, _plain(code.co_qualname)) for code in codes})
        return json.dumps({"failing": failing, "seconds": seconds, "calls": calls})

    answer = forked(measure, limit=1800.0)
    found: dict[str, Any] = json.loads(answer) if answer else {"failing": "it takes too long, or ends"}
    if found["failing"]:
        raise RuntimeError(f"mutants: the suite fails without a mutation: {found['failing']}")
    order = sorted(range(len(every)), key=found["seconds"].__getitem__)
    return Timed(
        laws=tuple(every[n] for n in order),
        seconds=sum(found["seconds"]),
        calls=frozenset((path, name) for path, name in found["calls"]),
    )


@contextlib.contextmanager
def _watched() -> Iterator[set[CodeType]]:
    """Record the code of the functions that are called in a block."""
    codes: set[CodeType] = set()

    def note(frame: FrameType, event: str, argument: object) -> None:
        del event, argument
        codes.add(frame.f_code)

    sys.settrace(note)
    try:
        yield codes
    finally:
        sys.settrace(None)


def _plain(name: str) -> str:
    """Return the name of the function that a function, lambda or comprehension is, or is in."""
    return ".".join(part for part in name.split(".") if not part.startswith("<"))


def tried(suites: Sequence[Timed], path: Path, mutation: Mutation, before: Sequence[str] = ()) -> str:
    """Return the fate of a mutant: the law that killed it, or ``SURVIVED``, ``IDLE`` or ``TIME``.

    Laws among the fates ``before``, those of mutants of the same file, come first, the last one at the head:
    neighbours mostly have one killer.
    """
    source = path.read_text(encoding="utf-8")
    turn = {fate: -number for number, fate in enumerate(before)}
    every = sorted((law for suite in suites for law in suite.laws), key=lambda law: turn.get(_named(law), 1))

    def attempt() -> str:
        _look_here()
        tree: ast.Module = mutated(source, mutation)
        if not install(tree, str(path)):
            return IDLE
        for law in every:
            if verdict(law).outcome == "fails":
                return _named(law)
        return SURVIVED

    return forked(attempt, limit=20.0 + 5 * sum(suite.seconds for suite in suites)) or TIME


def _named(law: Law) -> str:
    return f"{law.name} {law.case}".strip()


def _look_here() -> None:
    """Have HDF5 files inspected in this process, which has the mutated code."""
    child: Any = importlib.import_module("denoisplit.plugins.image_formats._hdf5_child")
    child._started = lambda: None


def forked(work: Callable[[], str], *, limit: float) -> str:
    """Return a function's result in a child process; empty where it takes too long or ends the process.

    It gets no more memory than ``MEMORY``.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        with contextlib.suppress(BaseException), Path(os.devnull).open("w", encoding="utf-8") as nothing:
            resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, resource.getrlimit(resource.RLIMIT_DATA)[1]))
            sys.stdout = sys.stderr = nothing
            with os.fdopen(writing, "wb") as answers:
                answers.write(work().encode())
        os._exit(0)
    os.close(writing)
    answer = b""
    end = time.monotonic() + limit
    while select.select([reading], [], [], max(0.0, end - time.monotonic()))[0]:
        part = os.read(reading, 1 << 20)
        if not part:
            break
        answer += part
    else:
        os.kill(child, signal.SIGKILL)
    os.close(reading)
    os.waitpid(child, 0)
    return answer.decode()
