"""Place of a process among those that train together: their number, and which this one is."""

import os
import socket
from collections.abc import Mapping
from functools import partial
from typing import Final

import attrs
import torch

from denoisplit.core.errors import RunError, SpecError
from denoisplit.core.patience import interruptible
from denoisplit.core.spec.records import TrainingSpec

_PORT: Final = 29500
"""Default port, that of torch's own launchers."""

_PORTS: Final = 65535

_FIRST: Final = "MASTER_ADDR"
_NETWORK: Final = "GLOO_SOCKET_IFNAME"
_NUMBERS: Final = ("NODE_RANK", "SLURM_NODEID")
"""Environment variables with the number of this host; the first one that is set counts."""


@attrs.frozen(kw_only=True)
class Seat:
    """Place of a process among those that train together.

    Attributes:
        hosts: number of hosts.
        host: index of this host.
        processes: number of processes on every host.
        process: index of this process on its host.
        address, port: address of the first process of the first host.
        device: type of device.
        threads: number of threads of every process.
    """

    hosts: int
    host: int
    processes: int
    process: int
    address: str
    port: int
    device: str
    threads: int


def require_seats(spec: TrainingSpec, device: torch.device) -> None:
    """Check that there is a device and a part of the batch for every process.

    Raises:
        SpecError: too few devices or patches, or more parts of a step than patches.
    """
    number = spec.devices * spec.nodes
    if number > spec.batch:
        problem = f"training.batch: fewer patches than processes (got {spec.batch} for {number})."
        raise SpecError(f"{problem} Every process needs one: lower training.devices or training.nodes.")
    gpus = torch.cuda.device_count() if device.type == "cuda" else spec.devices
    here = 1 if ":" in str(device) or device.type == "mps" else gpus
    if spec.devices > here:
        problem = f"training.devices: not so many here (got {spec.devices} with device {device})."
        raise SpecError(f"{problem} Use {here} or fewer, or training.device: cpu.")
    # The number of parts is the same in all processes, because batch norms wait for the others in each part.
    patches = spec.batch // number
    if spec.accumulate > patches:
        whose = f"each of {number} processes" if number > 1 else "the only process"
        what = f"got {spec.accumulate}, and {whose} has {patches} of training.batch"
        problem = f"training.accumulate: more parts than patches ({what})."
        raise SpecError(f"{problem} Use {patches} or fewer.")


def host_of(spec: TrainingSpec, environment: Mapping[str, str] = os.environ) -> int:
    """Return the index of this host; that of the first one is 0.

    Raises:
        RunError: no variable says which of several hosts this is, or its number is out of range.
    """
    if spec.nodes == 1:
        return 0
    name = next((one for one in _NUMBERS if one in environment), _NUMBERS[0])
    said, last = environment.get(name, ""), spec.nodes - 1
    if not said or not environment.get(_FIRST):
        raise RunError(
            f"training.nodes: nothing says which of {spec.nodes} hosts this is (got {name}={said!r}, "
            f"{_FIRST}={environment.get(_FIRST, '')!r}). Set {_FIRST} to the address of the first host, and "
            f"{_NUMBERS[0]} to the number of this one, from 0 to {last}."
        )
    if not said.isdecimal() or int(said) > last:
        raise RunError(
            f"training.nodes: none of {spec.nodes} hosts has such a number (got {name}={said!r}). Set "
            f"{_NUMBERS[0]} to a number from 0 to {last}, another one on each host."
        )
    return int(said)


def seat_of(spec: TrainingSpec, device: torch.device, environment: Mapping[str, str] = os.environ) -> Seat:
    """Return the place of this process, which a user has started: the first one of its host.

    Args:
        spec: settings with the numbers of hosts and processes.
        device: device of this process.
        environment: environment variables; for several hosts, with the index of this one (``NODE_RANK``,
            or SLURM's ``SLURM_NODEID``) and the address of the first (``MASTER_ADDR``, ``MASTER_PORT``).

    Raises:
        RunError: the environment is incomplete or wrong.
    """
    several = spec.nodes > 1
    if several:
        _require_network(environment.get(_NETWORK, ""))
    return Seat(
        hosts=spec.nodes,
        host=host_of(spec, environment),
        processes=spec.devices,
        process=0,
        address=_address(environment[_FIRST]) if several else "127.0.0.1",
        port=_port(environment) if several else _free_port(),
        device=device.type,
        threads=max(1, torch.get_num_threads() // spec.devices),
    )


def _address(name: str) -> str:
    """Check that a host of this name or address can be found, and return it."""
    try:
        interruptible(partial(socket.getaddrinfo, name, None))
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise RunError(
            f"training.nodes: no host of this name can be found (got {_FIRST}={name!r}: {reason}). Set "
            f"{_FIRST} to the name or the address of the first host."
        ) from error
    return name


def _require_network(names: str) -> None:
    known = [name for _, name in socket.if_nameindex()]
    if unknown := [name for name in names.split(",") if name and name not in known]:
        raise RunError(
            f"training.nodes: this host has no such network (got {_NETWORK}={unknown[0]!r}). Use one of "
            f"{', '.join(known)}."
        )


def _port(environment: Mapping[str, str]) -> int:
    said = environment.get("MASTER_PORT", str(_PORT))
    if not said.isdecimal() or not 1 <= int(said) <= _PORTS:
        raise RunError(
            f"training.nodes: MASTER_PORT must be the number of a port, from 1 to {_PORTS} (got {said!r}). "
            f"Unset it for {_PORT}."
        )
    return int(said)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
