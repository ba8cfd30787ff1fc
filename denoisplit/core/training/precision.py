"""Which number format the network runs in."""

from pathlib import Path
from typing import Literal

import torch

_UNITS = ("amx_bf16", "avx512_bf16")


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
