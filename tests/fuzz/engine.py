"""Mutated inputs through a reader, in forked workers: a crash or a loop is a finding, not the end.

Input number ``n`` of a target is a function of the seed and ``n``, so that every finding can be had again.
"""

import faulthandler
import json
import mmap
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs
import numpy as np

from denoisplit.core.arrays import AnyArray
from denoisplit.core.errors import DenoisplitError
from tests.fuzz.mutations import Mutate

SECONDS: Final = 10
MEMORY: Final = 2**31
_WAIT: Final = 60
_BATCH: Final = 20_000
_LONGEST: Final = 30_000


@attrs.frozen(eq=False)
class Sample:
    """A valid input.

    Attributes:
        files: contents by name; the first is what is opened, unless ``opened`` says otherwise.
        mutate: how every file is damaged, by its name; files without an entry stay as they are.
        opened: what is given to the reader, relative to the folder.
        pixels: that it has, None for inputs without pixels.
    """

    files: Mapping[str, bytes] = attrs.field(repr=False)
    mutate: Mapping[str, Mutate] = attrs.field(repr=False)
    opened: str
    pixels: AnyArray | None = attrs.field(default=None, repr=False, eq=False)


Check = Callable[[Path], AnyArray | None]
"""Reads what is at a path; gives its pixels, if it has any."""


@attrs.frozen
class Target:
    """A reader or loader.

    Attributes:
        name: of it.
        samples: makes valid inputs in a folder.
        check: reads one.
    """

    name: str
    samples: Callable[[Path], Sequence[Sample]] = attrs.field(repr=False)
    check: Check = attrs.field(repr=False)


@attrs.frozen
class Finding:
    """An input that gave something else than a result or a deliberate error.

    Attributes:
        target: name of the reader.
        seed, number: of the input.
        what: happened, its last line first.
    """

    target: str
    seed: int
    number: int
    what: str

    @property
    def replay(self) -> str:
        """The command that gives it again."""
        return f"python -m tests.fuzz --target {self.target} --seed {self.seed} --replay {self.number}"

    @property
    def kind(self) -> str:
        """What findings of one cause have in common: the exception and where it was raised."""
        lines = self.what.splitlines()
        places = [line.strip() for line in lines if line.strip().startswith("File")]
        return f"{lines[0].partition(':')[0]} {places[-1] if places else ''}"


@attrs.frozen
class Input:
    """A mutated input: the sample it was, the file that changed, and its content."""

    sample: Sample
    name: str
    content: bytes

    @property
    def cut(self) -> bool:
        """Whether nothing but the end is missing."""
        whole = self.sample.files[self.name]
        return len(self.content) < len(whole) and whole.startswith(self.content)


def input_of(samples: Sequence[Sample], target: str, seed: int, number: int) -> Input:
    """Input ``number``."""
    rng = random.Random(f"{target} {seed} {number}")
    sample = rng.choice(samples)
    name = rng.choice(list(sample.mutate))
    return Input(sample, name, sample.mutate[name](sample.files[name], rng))


def put(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files below a folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def examine(target: Target, folder: Path, given: Input) -> str:
    """What is wrong with how a reader takes an input that lies in ``folder``; empty for nothing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = target.check(folder / given.sample.opened)
    except DenoisplitError as error:
        text = str(error)
        if not text.strip() or len(text) > _LONGEST or not all(map(str.isprintable, text.split("\n"))):
            return f"an unreadable message\n{text[:300]!r}"
        return ""
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:200]}\n{traceback.format_exc()[-3000:]}"
    wanted = given.sample.pixels
    if (
        given.cut
        and found is not None
        and wanted is not None
        and not np.array_equal(found, wanted, equal_nan=True)
    ):
        return "other pixels: the end of the file is missing, and it was read all the same"
    return ""


def fuzz(target: Target, *, seed: int, numbers: range) -> Iterator[Finding]:
    """Findings among the inputs of these numbers.

    Args:
        target: the reader.
        seed: of all inputs.
        numbers: of the inputs.
    """
    in_memory = Path("/dev", "shm")
    folder = Path(tempfile.mkdtemp(prefix="fuzz", dir=in_memory if in_memory.is_dir() else None))
    try:
        samples = target.samples(folder / "made")
        for number in range(len(samples)):
            put(folder / str(number), samples[number].files)
        begin = numbers.start
        while begin < numbers.stop:
            stop = min(begin + _BATCH, numbers.stop)
            place = mmap.mmap(-1, 8)
            log = folder / "findings"
            log.unlink(missing_ok=True)
            sys.stdout.flush()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # of threads, which a worker does not use
                process = os.fork()
            if not process:
                _work(target, samples, folder, seed, range(begin, stop), place, log)
            _, status = os.waitpid(process, 0)
            if log.exists():
                for line in log.read_text().splitlines():
                    number, what = json.loads(line)
                    yield Finding(target.name, seed, number, what)
            begin = stop
            if status:
                last = int.from_bytes(place[:8], "little")
                yield Finding(target.name, seed, last, _end(status))
                begin = last + 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _end(status: int) -> str:
    if not os.WIFSIGNALED(status):
        return f"the process ended: exit code {os.waitstatus_to_exitcode(status)}"
    name = signal.Signals(os.WTERMSIG(status)).name
    if name in ("SIGPROF", "SIGALRM"):
        return f"a loop: more than {SECONDS if name == 'SIGPROF' else _WAIT} s ({name})"
    return f"a crash: {name}"


def _work(
    target: Target,
    samples: Sequence[Sample],
    folder: Path,
    seed: int,
    numbers: range,
    place: mmap.mmap,
    log: Path,
) -> None:
    """What a worker does; it never returns."""
    code = 1
    try:
        used = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, resource.RLIM_INFINITY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for sign in (signal.SIGPROF, signal.SIGALRM):
            signal.signal(sign, signal.SIG_DFL)
        faulthandler.disable()
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, 1)
        os.dup2(sink, 2)
        for number, sample in enumerate(samples):  # the worker before may have died in the middle of one
            put(folder / str(number), sample.files)
        for number in numbers:
            place[:8] = number.to_bytes(8, "little")
            given = input_of(samples, target.name, seed, number)
            there = folder / str(samples.index(given.sample))
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            signal.setitimer(signal.ITIMER_REAL, _WAIT)
            put(there, {given.name: given.content})
            what = examine(target, there, given)
            put(there, {given.name: given.sample.files[given.name]})
            if what:
                with log.open("a", encoding="utf-8") as file:
                    file.write(json.dumps([number, what]) + "\n")
        code = 0
    finally:
        os._exit(code)


def timed(target: Target, *, seed: int, numbers: range) -> tuple[list[Finding], float]:
    """All findings, and seconds."""
    begun = time.monotonic()
    return list(fuzz(target, seed=seed, numbers=numbers)), time.monotonic() - begun
