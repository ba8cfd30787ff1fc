"""Connection of the processes of a training."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any, Final

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from torch import distributed

from denoisplit.core.patience import interruptible
from denoisplit.core.training.processes.seat import Seat
from denoisplit.core.training.steps.ranks import Joined

PATIENCE: Final = timedelta(hours=1)
"""Longest time that a process waits for another, for example for a validation of the first one."""


def alone(device: torch.device) -> Fabric:
    """Return the device of a process that trains alone."""
    # Ignore a batch system's number of processes: one process trains.
    devices = [device.index] if device.index is not None else 1
    return Fabric(accelerator=device.type, devices=devices, plugins=[LightningEnvironment()])


@contextmanager
def joined(seat: Seat) -> Iterator[Joined]:
    """Context in which this process is connected to the others, which all have to enter it."""
    on_gpu = seat.device == "cuda"
    talk = interruptible(partial(_meet, seat, on_gpu=on_gpu))
    try:
        fabric = alone(torch.device("cuda", seat.process) if on_gpu else torch.device(seat.device))
        yield Joined(fabric, talk)
    finally:
        distributed.destroy_process_group()


def _meet(seat: Seat, *, on_gpu: bool) -> Any:
    """Wait for the others, and return a process group for objects other than tensors."""
    distributed.init_process_group(
        backend="nccl" if on_gpu else "gloo",
        init_method=f"tcp://{seat.address}:{seat.port}",
        rank=seat.host * seat.processes + seat.process,
        world_size=seat.hosts * seat.processes,
        timeout=PATIENCE,
    )
    return distributed.new_group(backend="gloo", timeout=PATIENCE)
