"""Where the network runs, and in which number format."""

from pathlib import Path
from typing import Final, Literal

import torch

from denoisplit.core.errors import RunError
from denoisplit.core.network.vse import VSE
from denoisplit.core.storage.bundle import Bundle, load_bundle
from denoisplit.core.storage.run_folder import RunFolder

AUTO: Final = "auto"
_UNITS: Final = ("amx_bf16", "avx512_bf16")


def load_network(folder: RunFolder, device: str) -> tuple[VSE, Bundle]:
    """The network of a run where it is to run, in evaluation mode, and its bundle.

    Raises:
        RunError: not a finished run, or no such device.
        PluginError: a component that it uses is not installed.
    """
    where = choose_device(device)
    vse, bundle = load_bundle(folder)
    vse.to(where)
    vse.network_dtype = network_dtype(bundle.spec.training.precision)
    return vse, bundle


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


def network_dtype(precision: Literal["auto", "float32", "bf16"]) -> torch.dtype | None:
    """The autocast dtype for a precision of the spec; None keeps float32.

    ``auto`` means bf16 where the processor has units for it (CUDA, AMX, AVX512-BF16), float32 elsewhere.
    """
    if precision == "auto":
        return torch.bfloat16 if _has_bf16_units() else None
    return torch.bfloat16 if precision == "bf16" else None


def _has_bf16_units() -> bool:
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # torch reports no bf16 flag for processors; Linux does, and elsewhere float32 is the safe answer.
    cpu = Path("/proc/cpuinfo")
    return cpu.is_file() and any(unit in cpu.read_text(encoding="ascii", errors="ignore") for unit in _UNITS)
