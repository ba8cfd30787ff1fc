"""Introduction of hosts to the first one before they train; a mismatch is reported in one line on all."""

import hashlib
import json
import logging
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, NoReturn, Self

import attrs
from torch.distributed import TCPStore  # type: ignore[attr-defined]  # it is documented to be there

from denoisplit.core.errors import RunError, in_one_line
from denoisplit.core.patience import interruptible
from denoisplit.core.registry import Component
from denoisplit.core.spec.records import ResolvedSpec
from denoisplit.core.training.processes.seat import Seat
from denoisplit.core.training.starts.same_training import without_devices

_LOG: Final = logging.getLogger("denoisplit.training")

_PATIENCE: Final = timedelta(minutes=10)
"""Longest time that hosts wait for each other to come; a queue starts them within minutes of each other."""

_ANSWER: Final = timedelta(seconds=20)
"""Time within which a host that is there answers."""

_LOOK: Final = 0.3
"""Time between two checks, seconds."""

_REFUSED: Final = "refused"
"""Key of the reason why the hosts do not fit, which all of them read."""


@attrs.frozen(kw_only=True)
class _Host:
    """Introduction of a host.

    Attributes:
        name: name of the host.
        hosts: number of hosts in its spec.
        processes: number of processes that it will start.
        spec: digest of its spec.
        mark: random mark of this call, so that a host that is started again differs.
    """

    name: str
    hosts: int
    processes: int
    spec: str
    mark: str = attrs.field(factory=lambda: uuid.uuid4().hex)

    def to_json(self) -> str:
        """Format as JSON."""
        return json.dumps(attrs.asdict(self))

    @classmethod
    def read(cls, told: bytes) -> Self:
        """Parse the JSON of another host."""
        return cls(**json.loads(told))


@contextmanager
def met(seat: Seat, spec: ResolvedSpec) -> Iterator[Callable[[], bool]]:
    """Context that begins when all hosts are there and fit; a single host does not wait.

    It gives a function that says whether the first host is still there.

    Raises:
        RunError: hosts do not fit, or do not come.
    """
    if seat.hosts == 1:
        yield lambda: True
        return
    own = _Host(name=socket.gethostname(), hosts=seat.hosts, processes=seat.processes, spec=_digest(spec))
    whom = "the first host" if seat.host else f"the other {seat.hosts - 1}"
    told = "host %d of %d (NODE_RANK=%d): waiting for %s at %s, port %d, for %d minutes at most"
    minutes = _PATIENCE.total_seconds() / 60
    _LOG.info(told, seat.host + 1, seat.hosts, seat.host, whom, seat.address, seat.port, minutes)
    store = _opened(seat)
    with ExitStack() as stack:
        try:
            _introduce(store, seat, own)
            if not seat.host:
                stack.callback(_forget, store, seat)
            _wait(store, seat)
        except RuntimeError as error:
            raise RunError(
                f"training.nodes: the first host has ended, or is none of this training (got {seat.address}, "
                f"port {seat.port}). Look at what it says, and start all hosts again."
            ) from error
        yield partial(_is_there, store)  # the first host serves the others meanwhile


def _opened(seat: Seat) -> TCPStore:
    """Open the message store of the first host."""
    first = seat.host == 0
    if not first:
        _wait_for_first(seat)
    opened = partial(
        TCPStore,
        seat.address,
        seat.port,
        is_master=first,
        timeout=_ANSWER,
        wait_for_workers=False,
        multi_tenant=True,  # the process group uses the same port
    )
    try:
        return interruptible(opened)
    except RuntimeError as error:
        if "EADDRINUSE" in str(error) or "in use" in str(error):
            raise RunError(
                f"training.nodes: port {seat.port} of this host is taken. Set MASTER_PORT on all hosts to "
                f"one that is free on the first one, which alone has NODE_RANK=0."
            ) from error
        whom = "this host, the first one, does not find itself" if first else "no host of a training answers"
        raise RunError(
            f"training.nodes: {whom} (got MASTER_ADDR={seat.address!r}, port {seat.port}). Set MASTER_ADDR "
            f"to the address of the host with NODE_RANK=0, and MASTER_PORT to a free port there."
        ) from error


def _wait_for_first(seat: Seat) -> None:
    """Wait until the first host listens."""
    end = time.monotonic() + _PATIENCE.total_seconds()
    while True:
        try:
            socket.create_connection((seat.address, seat.port), timeout=_ANSWER.total_seconds()).close()
        except OSError as error:
            if time.monotonic() > end:
                raise RunError(
                    f"training.nodes: the first host did not come within {_PATIENCE} (got "
                    f"{in_one_line(error)} at {seat.address}, port {seat.port}). Start the command there, "
                    f"or look at what it said: it may have refused its spec or images."
                ) from error
            time.sleep(_LOOK)
        else:
            return


def _introduce(store: TCPStore, seat: Seat, own: _Host) -> None:
    """Introduce this host, unless it does not fit."""
    if seat.host:
        first = _Host.read(store.get(_key(0)))
        for where, unlike, option, mine, theirs in (
            ("training.nodes", "numbers of hosts", "--nodes", own.hosts, first.hosts),
            ("training.devices", "numbers of processes", "--devices", own.processes, first.processes),
            ("training.nodes", "specs", "spec and --set options", f"{own.spec:.8}", f"{first.spec:.8}"),
        ):
            if mine != theirs:
                problem = f"{where}: hosts were started with unlike {unlike} (got {mine} on {own.name}, "
                _refuse(
                    store,
                    f"{problem}{theirs} on the first one, {first.name}). Give the same {option} on all.",
                )
    words = own.to_json()
    found = store.compare_set(_key(seat.host), "", words)
    if found.decode() != words:
        names = f"{_Host.read(found).name} and {own.name}"
        problem = f"training.nodes: two hosts have one number (got NODE_RANK={seat.host} on {names})."
        _refuse(store, f"{problem} Give each its own, from 0 to {seat.hosts - 1}, and start all again.")


def _refuse(store: TCPStore, problem: str) -> NoReturn:
    """Report on all hosts why they do not fit."""
    store.set(_REFUSED, problem)
    raise RunError(problem)


def _wait(store: TCPStore, seat: Seat) -> None:
    """Wait until all hosts are there, or one does not fit."""
    end = time.monotonic() + _PATIENCE.total_seconds()
    try:
        while missing := [number for number in range(seat.hosts) if not store.check([_key(number)])]:
            if store.check([_REFUSED]):
                if not seat.host:
                    time.sleep(3 * _LOOK)  # so that the others can still read it
                raise RunError(store.get(_REFUSED).decode())
            if time.monotonic() > end:
                raise RunError(
                    f"training.nodes: not all hosts came within {_PATIENCE} (got none with NODE_RANK "
                    f"{', '.join(map(str, missing))}). Start the command on each."
                )
            time.sleep(_LOOK)
    except KeyboardInterrupt:
        store.delete_key(_key(seat.host))  # so that it may come again
        raise


def _is_there(store: TCPStore) -> bool:
    try:
        return interruptible(partial(store.check, [_key(0)]))
    except RuntimeError:
        return False


def _forget(store: TCPStore, seat: Seat) -> None:
    """Delete all keys, so that a later training of this process can use the store again."""
    for key in (_REFUSED, *map(_key, range(seat.hosts))):
        store.delete_key(key)


def _key(host: int) -> str:
    return f"host {host}"


def _digest(spec: ResolvedSpec) -> str:
    """Digest of a spec as far as hosts have to agree on it: without images and folders of files."""

    def shown(_record: Any, _field: Any, value: Any) -> Any:
        if isinstance(value, Path):
            return value.name
        return value.qualified if isinstance(value, Component) else value

    spec = without_devices(spec)
    parts = [attrs.asdict(part, value_serializer=shown) for part in (spec.model, spec.training)]
    return hashlib.sha256(json.dumps([spec.channels, *parts], default=str).encode()).hexdigest()
