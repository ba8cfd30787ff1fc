"""Devices: choice, number formats, memory, and random generators."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import torch

from denoisplit.core.computer_memory import total_memory
from denoisplit.core.errors import RunError, SpecError

AUTO: Final = "auto"
PROCESSOR: Final = torch.device("cpu")
FALLBACK_BUDGET: Final = 2 << 30
"""Bytes, if the system does not tell its memory."""

TF32: Final = "tf32"
PRECISIONS: Final[dict[str, torch.dtype | None]] = {"float32": None, TF32: None, "bf16": torch.bfloat16}
"""Autocast dtypes by the name of the precision in specs; None keeps float32."""

_WORKSPACE: Final = "CUBLAS_WORKSPACE_CONFIG"
_FIXED: Final = (":4096:8", ":16:8")
"""Workspaces of cuBLAS with which its sums have a fixed order."""

_CPUINFO: Final = Path("/proc/cpuinfo")
_TOLD_BY_CPUINFO: Final = ("vendor", "cpu", "model", "stepping", "cache size", "flags", "features")

_TOLD_BY_TEXT: Final = ("can't allocate memory", "out of memory")
"""Texts of torch's messages on a processor or Apple's GPUs, which raise an ordinary ``RuntimeError``."""


def devices_here() -> tuple[str, ...]:
    """Names of the devices of this computer: the processor, CUDA GPUs by number, the GPU of a Mac."""
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    mps = ("mps",) if torch.backends.mps.is_available() else ()
    return ("cpu", *(f"cuda:{number}" for number in range(gpus)), *mps)


def choose_device(name: str = AUTO) -> torch.device:
    """Find the device of this name; ``auto`` is a GPU if PyTorch finds one, else the processor.

    Args:
        name: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` for the second GPU, or ``mps``, the GPU of a Mac, which
            lacks numbers of 64 bits, so that ``auto`` does not choose it.

    Raises:
        RunError: no such device here.
    """
    here = devices_here()
    known = list(here)
    if "cuda:0" in here:
        known.insert(1, "cuda")
    if name == AUTO:
        return torch.device("cuda") if "cuda" in known else PROCESSOR
    if name not in known:
        raise RunError(
            f"device: not on this computer (got {name!r}). Use one of {AUTO}, {', '.join(known)}; "
            f"denoisplit info says why there is no other."
        )
    return torch.device(name)


def name_of(device: torch.device) -> str:
    """Name of a GPU; empty for a processor."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else ""


def described(device: torch.device) -> str:
    """A device for messages: ``cpu``, or ``cuda (NVIDIA A100)`` with the name of the GPU."""
    name = name_of(device)
    return f"{device} ({name})" if name else str(device)


def has_bf16_units(device: torch.device) -> bool:
    """Whether a device has units for bf16; on a processor, they are not necessarily fast."""
    if device.type == "cuda":
        with torch.cuda.device(device):
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # torch has no bf16 flag for processors; Linux has one, and elsewhere float32 is the safe answer.
    return device.type == "cpu" and "bf16" in processor()


def processor() -> str:
    """Linux's description of the processor type, without its current state; empty elsewhere.

    Names are not enough: under a hypervisor, different processors have one name.
    """
    try:
        first, _, _ = _CPUINFO.read_text(encoding="ascii", errors="ignore").partition("\n\n")
    except OSError:
        return ""
    told = (line for line in first.splitlines() if line.lower().startswith(_TOLD_BY_CPUINFO))
    return "\n".join(" ".join(line.split()) for line in told if "mhz" not in line.lower())


def has_float64(device: torch.device) -> bool:
    """Whether a device has numbers of 64 bits."""
    return device.type != "mps"


def memory_budget(device: torch.device) -> int:
    """Bytes that a prediction may use: four fifths of a GPU's free memory, a quarter of a computer's memory.

    Memory that torch has reserved on a GPU but does not use counts as free.
    """
    if device.type == "cuda":
        idle = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return (torch.cuda.mem_get_info(device)[0] + idle) * 4 // 5
    memory = total_memory()
    return FALLBACK_BUDGET if memory is None else memory // 4


def is_shortage(error: Exception) -> bool:
    """Whether an error says that memory ran out."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _TOLD_BY_TEXT)


def is_of_the_machine(error: Exception) -> bool:
    """Whether an error says what a machine cannot do: memory ran out, or bits may differ each time."""
    return is_shortage(error) or _is_refused(error)


def _is_refused(error: Exception) -> bool:
    """Whether an operation was refused because it may give other bits every time."""
    return isinstance(error, RuntimeError) and "deterministic" in str(error)


def give_back_memory(device: torch.device) -> None:
    """Release memory that is reserved but unused."""
    if device.type == "cuda":
        torch.cuda.empty_cache()


def wait_for(device: torch.device) -> None:
    """Wait until a device has finished all its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@contextmanager
def seeded(seed: int, device: torch.device = PROCESSOR) -> Iterator[None]:
    """Context in which the global generators of the processor and a device start from a seed; restored after.

    Other devices are left alone. ``torch.manual_seed`` would seed them, too, and record the calling source
    line for every type of device, for which it reads source files.
    """
    gpu = device.type == "cuda"
    with torch.random.fork_rng([device] if gpu else []):
        torch.default_generator.manual_seed(seed)
        if gpu:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield


@contextmanager
def rounding(device: torch.device, *, tf32: bool) -> Iterator[None]:
    """Context that sets how a GPU rounds products of float32, in forward and backward passes.

    PyTorch's own choice is TF32 in convolutions: 10 bits, where float32 has 23.

    Args:
        device: the device; only CUDA devices are affected.
        tf32: whether convolutions may round to TF32; no other product does.
    """
    settings: list[tuple[Any, str]] = []
    if device.type == "cuda":
        backends: Any = torch.backends
        settings = [(backends.cudnn.conv, TF32 if tf32 else "ieee"), (backends.cuda.matmul, "ieee")]
    before = [setting.fp32_precision for setting, _ in settings]
    try:
        for setting, wanted in settings:
            setting.fp32_precision = wanted
        yield
    finally:
        for (setting, _), found in zip(settings, before, strict=True):
            setting.fp32_precision = found


@contextmanager
def deterministic(device: torch.device) -> Iterator[None]:
    """Context in which operations give the same bits every time, or an error.

    Raises:
        SpecError: an operation cannot, or cuBLAS was not configured in time.
    """
    said = os.environ.get(_WORKSPACE, "")
    if device.type == "cuda" and said not in _FIXED:
        what = f"$.training.deterministic: cuBLAS gives the same bits only if told in time (got {said!r})"
        raise SpecError(f"{what}. Set {_WORKSPACE}={_FIXED[0]} in the environment before the start.")
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    torch.use_deterministic_algorithms(True)
    try:
        yield
    except RuntimeError as error:
        if not _is_refused(error):
            raise
        reason, _, _ = str(error).partition(",")
        what = f"$.training.deterministic: an operation of this network cannot (got: {reason})"
        raise SpecError(f"{what}. Leave it out, or use other components.") from error
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
