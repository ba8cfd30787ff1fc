"""The other processes of a training: each gets the network from the first one, and does its part."""

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
from denoisplit.core.network.composer import patch_sides
from denoisplit.core.network.freezing import freeze
from denoisplit.core.network.vse import VSE
from denoisplit.core.spawned import begin
from denoisplit.core.storage.bundle import Bundle, load_bundle, save_bundle
from denoisplit.core.storage.run_folder import RunFolder
from denoisplit.core.training.computing import computing
from denoisplit.core.training.joining import alone, joined
from denoisplit.core.training.loop import Loop
from denoisplit.core.training.ranks import Alone, Ranks
from denoisplit.core.training.resuming import ResumePoint, read_point
from denoisplit.core.training.seat import Seat
from denoisplit.core.training.task import SplittingTask
from denoisplit.core.training.tried_objectives import objectives_of
from denoisplit.core.training.worker_start import MAIN_GUARD

_END: Final = 20.0
"""Seconds that a process has to end by itself."""

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
"""What is meant by what gloo and torch say of a connection."""

_GRACE: Final = 1.0
"""Seconds within which a process that has failed says so."""


@attrs.frozen(kw_only=True)
class Told:
    """What the others need to train with the first process.

    Attributes:
        files: of a run folder, by their place in it: the network and a resume point.
        precision: in which the network computes.
    """

    files: dict[str, bytes]
    precision: str

    @classmethod
    def of(cls, vse: VSE, bundle: Bundle, point: ResumePoint) -> "Told":
        """The network of a run, as it is now."""
        with tempfile.TemporaryDirectory(prefix="denoisplit-") as name:
            folder = RunFolder(Path(name))
            save_bundle(folder, vse, bundle)
            point.save(folder.resume_point)
            return cls(
                files={
                    str(path.relative_to(name)): path.read_bytes()
                    for path in (folder.weights, folder.bundle, folder.resume_point)
                },
                precision=vse.precision,
            )


@contextmanager
def together(seat: Seat, device: torch.device) -> Iterator[Ranks]:
    """Start the other processes of this host, and find all of them; they end with the context.

    Raises:
        RunError: one of them ended before.
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
                ranks.from_first(lambda: None)  # the others stay until all is stored
    except RuntimeError as error:
        reason = _reason(others, error)
        if not reason:
            raise
        advice = _OF_HOSTS if seat.hosts > 1 else _GO_ON
        raise RunError(f"training: a process that takes part has ended ({reason}). {advice}") from error
    except BaseException:
        for other in others:
            other.process.kill()  # it has nothing to store
        raise
    finally:
        for other in others:
            other.end()


def take_part(seat: Seat, is_first_there: Callable[[], bool]) -> None:
    """Let the processes of this host train with the first one, until that has stored what was learnt.

    This process only waits, for a call that waits for others cannot be interrupted.

    Args:
        seat: of this process.
        is_first_there: whether the first host still trains.

    Raises:
        RunError: one of them ended before, or the first host did.
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
    """Take part in a training, until the first process has stored what was learnt."""
    told: Told | None = ranks.from_first(_unknown)
    if told is None:  # there is no step left to do
        return
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
    patch = patch_sides(spec.training.patch, spec.model.dimensions)
    task = SplittingTask(vse, spec.training, objectives_of(spec, bundle.statistics, patch))
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
        """Wait until it lives.

        Raises:
            SpecError: it does not.
        """
        try:
            self._words.recv()
        except EOFError as error:
            problem = "training.devices: a process ended before it began"
            raise SpecError([f"{problem}. {MAIN_GUARD}, or set training.devices to 1."]) from error

    def last_words(self) -> str:
        """Why it ended; empty where it has not."""
        try:
            if self._words.poll(_GRACE):
                return str(self._words.recv())
        except EOFError:
            self.process.join(_END)
            return f"exit code {self.process.exitcode}" if self.process.exitcode else ""
        return ""

    def end(self) -> None:
        """Wait for its end, which is near."""
        self.process.join(_END)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self._words.close()


def _live(seat: Seat, words: Connection) -> None:
    """What another process of this host does."""
    begin(seat.threads)
    words.send("begun")
    try:
        with joined(seat) as ranks:
            serve(ranks)
    except Exception as error:  # noqa: BLE001 (said by the first process, which has lost this one)
        words.send(plainly(error))
        raise SystemExit(1) from None


def _reason(others: Sequence[_Other], error: RuntimeError) -> str:
    """Why another process has ended; empty where none has."""
    said = [words for words in (other.last_words() for other in others) if words]
    if not said and _is_lost(error):
        said = [plainly(error)]
    return in_one_line(said[0]) if said else ""


def plainly(error: Exception) -> str:
    """What an error of a process says, in words for whoever trains."""
    if isinstance(error, DenoisplitError):
        return str(error)
    text = str(error)
    if _is_lost(error):
        meant = [words for words, said in _PLAIN.items() if said.search(text)]
        if meant:
            return meant[0]
        text = re.sub(r"^\[[^]]*\] *", "", text)  # which line of its sources says so
    return f"{type(error).__name__}: {text}"


def _is_lost(error: Exception) -> bool:
    return isinstance(error, distributed.DistError) or "gloo" in str(error)
