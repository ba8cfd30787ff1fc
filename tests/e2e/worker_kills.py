"""Kill processes of predictions, those of a cluster among them, and see that nothing is lost or left.

``python -m tests.e2e.worker_kills --count 10``. A command predicts an image into a file; at a random moment
one of the processes that work on it is ended by SIGKILL. The command goes on, or ends with one line and
``--resume`` goes on. Linux only.
"""

import argparse
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np

import denoisplit
from denoisplit.core.images.bases import Image
from denoisplit.core.images.io import open_image
from denoisplit.core.storage.image_files import installed_formats, save_image
from tests.e2e.experiment import Experiment

OUTPUTS: Final = ("p.ome.zarr", "p.ome.tif")
OPTIONS: Final = ("--samples", "20", "--tile", "16", "--workers", "2")
MARK: Final = "DENOISPLIT_KILLS"
"""In the environment of the processes of one command."""

PATIENCE: Final = 600.0
"""For which a command may go on after a kill, and a victim is waited for, seconds; machines are busy."""

SPAN: Final = 12.0
"""In which one is killed after it has begun, seconds; about what the rest of the command takes."""

ADVICE: Final = "--resume.", "leave out its address."
"""How a last line ends; the second where the scheduler ended before it was asked."""

WORKER: Final = "spawn_main"
"""In the command line of processes that were started to work."""


def family(mark: str, word: str = "") -> list[int]:
    """Processes of a mark, with a word in their command line."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and f"{MARK}={mark}".encode() in _read(folder / "environ").split(b"\0"):
            found += [int(folder.name)] * (word.encode() in _read(folder / "cmdline"))
    return sorted(found)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""  # it has ended, or is another's


def started(mark: str, *words: str, **more: Any) -> "subprocess.Popen[str]":
    """A program with a mark."""
    environment = {**os.environ, MARK: mark}
    return subprocess.Popen([sys.executable, "-m", *words], env=environment, text=True, **more)


@attrs.frozen
class Command:
    """A command that predicts, as it is killed.

    Attributes:
        mark: of its processes.
        options: of the executor.
        victims: processes of which one is killed.
    """

    mark: str
    options: tuple[str, ...]
    victims: Callable[[], list[int]]


@contextmanager
def worker(executor: str) -> Iterator[Command]:
    """A process that works for the command."""
    mark = uuid.uuid4().hex
    yield Command(mark, ("--executor", executor), lambda: family(mark, WORKER))


@contextmanager
def parent(executor: str) -> Iterator[Command]:
    """The command itself."""
    mark = uuid.uuid4().hex
    yield Command(mark, ("--executor", executor), lambda: family(mark, " predict ".replace(" ", "\0")))


@contextmanager
def of_a_cluster(victim: str, *options: str) -> Iterator[Command]:
    """A process of a cluster that was there before."""
    mark, cluster, port = uuid.uuid4().hex, uuid.uuid4().hex, _free_port()
    address = f"tcp://127.0.0.1:{port}"
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    programs = [
        started(cluster, "distributed.cli.dask_scheduler", *_words(port), **quiet),
        *(
            started(cluster, "distributed.cli.dask_worker", address, "--nthreads", "1", *options, **quiet)
            for _ in range(2)
        ),
    ]
    try:
        executor = f"{{use: dask, scheduler: '{address}', patience: 60}}"
        yield Command(mark, ("--executor", executor), lambda: family(cluster, victim))
    finally:
        for process in family(cluster):
            os.kill(process, signal.SIGKILL)
        for program in programs:
            program.wait()


def _words(port: int) -> tuple[str, ...]:
    return "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


KINDS: Final[dict[str, Callable[[], Any]]] = {
    "process": lambda: worker("processes"),
    "dask worker": lambda: worker("dask"),
    "worker of a cluster": lambda: of_a_cluster(WORKER),
    "worker without a nanny": lambda: of_a_cluster("dask_worker", "--no-nanny"),
    "scheduler": lambda: of_a_cluster("dask_scheduler"),
    "parent of threads": lambda: parent("threads"),
    "parent of processes": lambda: parent("processes"),
    "parent of dask": lambda: parent("dask"),
}


@attrs.define
class Counts:
    """What was done.

    Attributes:
        kills: and what came of them, by kind and end.
        faults: what was lost or left, a sentence each.
        slowest: seconds from a kill to the end of a command that did not go on.
    """

    kills: dict[str, dict[str, int]] = attrs.field(factory=dict)
    faults: list[str] = attrs.field(factory=list)
    slowest: float = 0.0


@attrs.define
class Killer:
    """Runs predictions of one image and kills."""

    folder: Path
    draw: random.Random
    counts: Counts = attrs.field(factory=Counts)

    def prepare(self) -> None:
        """A run, an image, and what is to come out."""
        experiment = Experiment(self.folder / "experiment")
        experiment.write()
        experiment.train()
        pixels = np.random.default_rng(0).normal(200, 40, (2, 80, 64)).astype(np.float32)
        save_image(self.image, Image(data=pixels, axes="tyx"))
        run = denoisplit.load(self.run)
        run.predict_file(self.image, self.folder / "whole.ome.zarr", samples=20, tile=16)

    @property
    def run(self) -> Path:
        """Folder of the run."""
        return self.folder / "experiment" / "run"

    @property
    def image(self) -> Path:
        """The mixed image."""
        return self.folder / "mixed.ome.tif"

    def predict(self, command: Command, out: Path, *more: str) -> "subprocess.Popen[str]":
        """Begin a prediction."""
        words = ("denoisplit", "predict", str(self.run), str(self.image), "--out", str(out))
        piped: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        return started(command.mark, *words, *OPTIONS, *command.options, *more, **piped)

    def kill(self, kind: str) -> None:
        """Kill once, and look at what comes of it."""
        out = self.folder / "out" / self.draw.choice(OUTPUTS)
        with KINDS[kind]() as command:
            predicting = self.predict(command, out)
            killed = self._killed(command, predicting)
            at = time.monotonic()
            said = self._said(kind, predicting)
            ending = time.monotonic() - at
            self._check(not _ended(command.mark), f"{kind}: processes were left")
        code = predicting.returncode
        end = "goes on" if code == 0 else "killed" if code == -signal.SIGKILL else "one line"
        if killed:
            known = self.counts.kills.setdefault(kind, {})
            known[end] = known.get(end, 0) + 1
        if end == "one line":
            self.counts.slowest = max(self.counts.slowest, ending)
            self._check(code == 2 and "Traceback" not in said, f"{kind}: exit code {code}: {said[-1500:]}")
            self._check(said.rstrip().endswith(ADVICE), f"{kind}: no advice: {said[-300:]}")
        if code:
            with worker("serial") as other:
                again = self.predict(other, out, "--resume")
                said = self._said(kind, again)
                self._check(again.returncode == 0, f"{kind}: not gone on with: {said[-1500:]}")
        self._look(kind, out)

    def _killed(self, command: Command, predicting: "subprocess.Popen[str]") -> bool:
        """Kill once; whether something was killed before the command was done."""
        begin = time.monotonic()
        while not command.victims() and predicting.poll() is None and time.monotonic() - begin < PATIENCE:
            time.sleep(0.02)
        with suppress(subprocess.TimeoutExpired):
            predicting.wait(self.draw.uniform(0, SPAN))
        victims = command.victims() if predicting.poll() is None else []
        if victims:
            os.kill(self.draw.choice(victims), signal.SIGKILL)
        return bool(victims)

    def _said(self, kind: str, predicting: "subprocess.Popen[str]") -> str:
        try:
            return predicting.communicate(timeout=PATIENCE)[1]
        except subprocess.TimeoutExpired:
            predicting.kill()
            self._check(False, f"{kind}: does not end")
            return predicting.communicate()[1]

    def _look(self, kind: str, out: Path) -> None:
        """Whether the result is that of an undisturbed prediction, and alone."""
        names = [path.name for path in out.parent.iterdir()] if out.parent.exists() else []
        self._check(names == [out.name], f"{kind}: the folder holds {names}")
        if out.exists():
            whole, found = (
                open_image(path, installed_formats()).pixels for path in (self.folder / "whole.ome.zarr", out)
            )
            self._check(np.array_equal(whole, found), f"{kind}: {out.name} has other pixels")
        shutil.rmtree(out.parent, ignore_errors=True)

    def _check(self, right: object, fault: str) -> None:
        if not right:
            self.counts.faults.append(fault)
            sys.stderr.write(f"FAULT {fault}\n")


def _ended(mark: str) -> list[int]:
    """Processes of a mark that do not end; they are ended here."""
    for _ in range(100):
        if not (left := family(mark)):
            return []
        time.sleep(0.1)
    for process in left:
        os.kill(process, signal.SIGKILL)
    return left


def kill(folder: Path, kinds: dict[str, int], *, seed: int = 0) -> Counts:
    """Kill so many of each kind."""
    killer = Killer(folder, random.Random(seed))
    killer.prepare()
    for kind, count in kinds.items():
        while sum(killer.counts.kills.get(kind, {}).values()) < count:
            killer.kill(kind)
            sys.stderr.write(f"{killer.counts.kills}, {len(killer.counts.faults)} faults\n")
    return killer.counts


def main() -> None:
    """Kill, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", help=f"{', '.join(KINDS)}; all of them if none is given")
    parser.add_argument("--count", type=int, default=7, help="kills of each")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wanted = dict.fromkeys(options.kinds or KINDS, options.count)
        counts = kill(Path(folder), wanted, seed=options.seed)
    for kind, ends in counts.kills.items():
        sys.stdout.write(f"{kind}: {', '.join(f'{count} {end}' for end, count in ends.items())}\n")
    sys.stdout.write(f"slowest end after a kill: {counts.slowest:.1f} s\n")
    sys.stdout.write("".join(f"FAULT {fault}\n" for fault in counts.faults))
    sys.exit(bool(counts.faults))


if __name__ == "__main__":
    main()
