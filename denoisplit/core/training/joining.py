"""How the processes of a training find one another: those of this computer are started, hosts are told."""

import logging
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any, Final

import attrs
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from torch import distributed

from denoisplit.core.errors import RunError, SpecError
from denoisplit.core.patience import interruptible
from denoisplit.core.spec.records import TrainingSpec
from denoisplit.core.training.ranks import Joined

_LOG: Final = logging.getLogger("denoisplit.training")

PATIENCE: Final = timedelta(hours=1)
"""How long one process waits for another, such as for a validation of the first one."""

_PORT: Final = 29500
"""That of torch's own launchers, where hosts are told no other."""


@attrs.frozen(kw_only=True)
class Seat:
    """The place of a process among those that train together.

    Attributes:
        hosts: how many there are.
        host: number of this one.
        processes: of every host.
        process: number of this one, on its host.
        address, port: where the first process of the first host is found.
        device: sort of device.
        threads: of every process.
    """

    hosts: int
    host: int
    processes: int
    process: int
    address: str
    port: int
    device: str
    threads: int


def seat_of(spec: TrainingSpec, device: torch.device, environment: Mapping[str, str] = os.environ) -> Seat:
    """The place of this process, which a person has started: the first one of its host.

    Args:
        spec: says how many train together.
        device: where this one trains.
        environment: of several hosts, says which this is (``NODE_RANK``, of SLURM ``SLURM_NODEID``) and where
            the first one is (``MASTER_ADDR``, ``MASTER_PORT``).

    Raises:
        SpecError: there are not so many devices, or patches.
        RunError: nothing says which of several hosts this is.
    """
    number = spec.devices * spec.nodes
    if number > spec.batch:
        problem = f"training.batch: fewer patches than processes (got {spec.batch} for {number})."
        raise SpecError([f"{problem} Every process needs one: lower training.devices or training.nodes."])
    gpus = torch.cuda.device_count() if device.type == "cuda" else spec.devices
    here = 1 if ":" in str(device) or device.type == "mps" else gpus
    if spec.devices > here:
        problem = f"training.devices: not so many here (got {spec.devices} with device {device})."
        raise SpecError([f"{problem} Use {here} or fewer, or training.device: cpu."])
    several = spec.nodes > 1
    host = environment.get("NODE_RANK", environment.get("SLURM_NODEID", "")) if several else "0"
    address = environment.get("MASTER_ADDR", "") if several else "127.0.0.1"
    port = environment.get("MASTER_PORT", str(_PORT))
    if several and not port.isdecimal():
        raise RunError(f"training.nodes: MASTER_PORT must be the number of a port (got {port!r}). Unset it.")
    if not host.isdecimal() or int(host) >= spec.nodes or not address:
        raise RunError(
            f"training.nodes: nothing says which of {spec.nodes} hosts this is (got NODE_RANK={host!r}, "
            f"MASTER_ADDR={address!r}). Set MASTER_ADDR to the address of the first host, and NODE_RANK to "
            f"the number of this one, from 0."
        )
    return Seat(
        hosts=spec.nodes,
        host=int(host),
        processes=spec.devices,
        process=0,
        address=address,
        port=int(port) if several else _free_port(),
        device=device.type,
        threads=max(1, torch.get_num_threads() // spec.devices),
    )


def alone(device: torch.device) -> Fabric:
    """The devices of a process that trains alone."""
    # Not what a batch system says: one process trains.
    devices = [device.index] if device.index is not None else 1
    return Fabric(accelerator=device.type, devices=devices, plugins=[LightningEnvironment()])


def tell_of_waiting(seat: Seat) -> None:
    """Log where other hosts are waited for."""
    if seat.hosts > 1:
        told = "host %d of %d: waiting for the others at %s, port %d"
        _LOG.info(told, seat.host + 1, seat.hosts, seat.address, seat.port)


@contextmanager
def joined(seat: Seat) -> Iterator[Joined]:
    """This process among the others, which all come here; until the context ends."""
    on_gpu = seat.device == "cuda"
    talk = interruptible(partial(_meet, seat, on_gpu=on_gpu))
    try:
        fabric = alone(torch.device("cuda", seat.process) if on_gpu else torch.device(seat.device))
        yield Joined(fabric, talk)
    finally:
        distributed.destroy_process_group()


def _meet(seat: Seat, *, on_gpu: bool) -> Any:
    """Wait for the others; a group for what is not computed with."""
    distributed.init_process_group(
        backend="nccl" if on_gpu else "gloo",
        init_method=f"tcp://{seat.address}:{seat.port}",
        rank=seat.host * seat.processes + seat.process,
        world_size=seat.hosts * seat.processes,
        timeout=PATIENCE,
    )
    return distributed.new_group(backend="gloo", timeout=PATIENCE)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
