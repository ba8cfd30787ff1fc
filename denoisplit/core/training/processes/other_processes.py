"""The other processes of a training: each gets the network from the first one, and trains with it."""

import multiprocessing
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, Final

import attrs
import torch
from torch import distributed

from denoisplit.core.errors import DenoisplitError, RunError, SpecError, in_one_line
from denoisplit.core.main_guard import guard
from denoisplit.core.network.freezing import freeze
from denoisplit.core.network.vse import VSE
from denoisplit.core.registry import installed_registry
from denoisplit.core.registry.modules import import_files, imported_files
from denoisplit.core.spawned import begin
from denoisplit.core.storage.bundle import Bundle, load_bundle, save_bundle
from denoisplit.core.storage.run_folder import RunFolder
from denoisplit.core.training.processes.joining import alone, joined
from denoisplit.core.training.processes.seat import Seat
from denoisplit.core.training.starts.resuming import ResumePoint, read_point
from denoisplit.core.training.steps.computing import computing
from denoisplit.core.training.steps.loop import Loop
from denoisplit.core.training.steps.ranks import Alone, Ranks
from denoisplit.core.training.steps.task import SplittingTask
from denoisplit.core.training.steps.tried_objectives import objectives_of

_END: Final = 20.0
"""Time for a process to end by itself, seconds."""

_GO_ON: Final = "Continue with --resume, with fewer processes if need be."

_OF_HOSTS: Final = (
    f"{_GO_ON} On several hosts, look at what the others say, at NODE_RANK and MASTER_PORT, and name the "
    f"network of a host that has several by GLOO_SOCKET_IFNAME."
)

_FIRST_ENDED: Final = "the first host has ended. Look at what it says, and start all anew or with --resume."

_PLAIN: Final = {
    "another one did not answer": re.compile(r"timed? ?out", re.IGNORECASE),
    "the connection to another one was lost": re.compile(r"peer|recv|pipe|connection", re.IGNORECASE),
}
"""Plain words for messages of gloo and torch about a connection."""

_GRACE: Final = 1.0
"""Time within which a failed process reports its error, seconds."""


@attrs.frozen(kw_only=True)
class Told:
    """State that the other processes need to train with the first one.

    Attributes:
        files: contents of files by their path in a run folder: the network and a resume point.
        precision: precision of the network.
        plugins: paths of the plugin modules that were imported from files.
    """

    files: dict[str, bytes]
    precision: str
    plugins: tuple[str, ...]

    @classmethod
    def of(cls, vse: VSE, bundle: Bundle, point: ResumePoint) -> "Told":
        """Pack the network of a run in its current state."""
        with tempfile.TemporaryDirectory(prefix="denoisplit-") as name:
            folder = RunFolder(Path(name))
            save_bundle(folder, vse, bundle)
            point.save(folder.resume_point)
            return cls(
                files={
                    path.relative_to(name).as_posix(): path.read_bytes()
                    for path in (folder.weights, folder.bundle, folder.resume_point)
                },
                precision=vse.precision,
                plugins=imported_files(installed_registry()),
            )


@contextmanager
def together(seat: Seat, device: torch.device) -> Iterator[Ranks]:
    """Context with all processes; those of this host are started, and end with it.

    Raises:
        RunError: a process ended early.
    """
    if seat.hosts * seat.processes == 1:
        yield Alone(alone(device))
        return
    others = [_Other(attrs.evolve(seat, process=number)) for number in range(1, seat.processes)]
    try:
        for other in others:
            other.require_begun()
        with joined(seat) as ranks:
            yield ranks
            if not ranks.rank:
                ranks.from_first(lambda: None)  # the others wait until everything is stored
    except RuntimeError as error:
        reason = _reason(others, error)
        if not reason:
            raise
        advice = _OF_HOSTS if seat.hosts > 1 else _GO_ON
        raise RunError(f"training: a process that takes part has ended ({reason}). {advice}") from error
    except BaseException:
        for other in others:
            other.process.kill()  # there is nothing that it would have to store
        raise
    finally:
        for other in others:
            other.end()


def take_part(seat: Seat, is_first_there: Callable[[], bool]) -> None:
    """Let the processes of this host train with the first one, until it has stored the run.

    This process itself only watches them: calls that wait for other hosts cannot be interrupted.

    Raises:
        RunError: a process, or the first host, ended early.
    """
    others = [_Other(attrs.evolve(seat, process=number)) for number in range(seat.processes)]
    try:
        for other in others:
            other.require_begun()
        for other in others:
            while other.process.is_alive():
                other.process.join(_GRACE)
                if not is_first_there():
                    other.process.join(_END)
                    if other.process.is_alive():
                        raise RunError(f"training: {_FIRST_ENDED}")
        if said := [words for words in (other.last_words() for other in others) if words]:
            raise RunError(f"training: the part of this host has ended ({in_one_line(said[0])}). {_OF_HOSTS}")
    except BaseException:
        for other in others:
            other.process.kill()
        raise
    finally:
        for other in others:
            other.end()


def serve(ranks: Ranks) -> None:
    """Take part in a training, until the first process has stored the run."""
    told: Told | None = ranks.from_first(_unknown)
    if told is None:  # no step is left
        return
    import_files(told.plugins, installed_registry())
    with tempfile.TemporaryDirectory(prefix="denoisplit-") as name:
        folder = RunFolder(Path(name))
        for file, content in told.files.items():
            (folder.path / file).parent.mkdir(exist_ok=True)
            (folder.path / file).write_bytes(content)
        vse, bundle = load_bundle(folder)
        point = read_point(folder.resume_point)
    spec = bundle.spec
    freeze(vse.train(), spec.training.freeze)
    vse.precision = told.precision
    task = SplittingTask(vse, spec.training, objectives_of(spec, bundle.statistics))
    loop = Loop(task, spec.training, (), ranks)
    loop.go_on_from(point, folder.resume_point)
    with computing(vse, spec.training, ranks.device):
        loop.run((), (), point=folder.resume_point, identity=point.identity)
    ranks.from_first(_unknown)


def _unknown() -> Any:
    raise RuntimeError("only the first process knows")


class _Other:
    """Another process of this host."""

    def __init__(self, seat: Seat) -> None:
        context = multiprocessing.get_context("spawn")
        self._words, theirs = context.Pipe(duplex=False)
        self.process: SpawnProcess = context.Process(target=_live, args=(seat, theirs), daemon=True)
        self.process.start()
        theirs.close()

    def require_begun(self) -> None:
        """Wait until the process has begun.

        Raises:
            SpecError: it ended before.
        """
        try:
            self._words.recv()
        except EOFError as error:
            problem = "training.devices: a process ended before it began"
            raise SpecError(f"{problem}. {guard()}, or set training.devices to 1.") from error

    def last_words(self) -> str:
        """Why the process ended; empty if it has not failed."""
        try:
            if self._words.poll(_GRACE):
                return str(self._words.recv())
        except EOFError:
            self.process.join(_END)
            return f"exit code {self.process.exitcode}" if self.process.exitcode else ""
        return ""

    def end(self) -> None:
        """Wait for the process to end, and kill it if it does not."""
        self.process.join(_END)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self._words.close()


def _live(seat: Seat, words: Connection) -> None:
    """Entry point of another process of this host."""
    begin(seat.threads)
    words.send("begun")
    try:
        with joined(seat) as ranks:
            serve(ranks)
    except Exception as error:  # noqa: BLE001 (reported by the process that started this one)
        words.send(plainly(error))
        raise SystemExit(1) from None


def _reason(others: Sequence[_Other], error: RuntimeError) -> str:
    """Why another process has ended; empty if none has."""
    said = [words for words in (other.last_words() for other in others) if words]
    if not said and _is_lost(error):
        said = [plainly(error)]
    return in_one_line(said[0]) if said else ""


def plainly(error: Exception) -> str:
    """Message of an error of a process, in plain words for users."""
    if isinstance(error, DenoisplitError):
        return str(error)
    text = str(error)
    if _is_lost(error):
        meant = [words for words, said in _PLAIN.items() if said.search(text)]
        if meant:
            return meant[0]
        text = re.sub(r"^\[[^]]*\] *", "", text)  # a line number in gloo's sources
    return f"{type(error).__name__}: {text}"


def _is_lost(error: Exception) -> bool:
    return isinstance(error, distributed.DistError) or "gloo" in str(error)
