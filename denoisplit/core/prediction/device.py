"""Where the network runs."""

from typing import Final

import torch

from denoisplit.core.errors import RunError

AUTO: Final = "auto"


def choose_device(name: str) -> torch.device:
    """The device of this name; ``auto`` is a GPU where PyTorch finds one, else the processor.

    Args:
        name: ``auto``, ``cpu``, ``cuda``, or ``cuda:1`` for the second GPU.

    Raises:
        RunError: no such device here.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    known = ["cpu", *(["cuda"] if gpus else []), *(f"cuda:{number}" for number in range(gpus))]
    if name == AUTO:
        return torch.device("cuda" if gpus else "cpu")
    if name not in known:
        raise RunError(f"device: not on this computer (got {name!r}). Use one of {AUTO}, {', '.join(known)}.")
    return torch.device(name)
