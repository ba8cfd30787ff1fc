"""Faster ways to make random numbers on a device, where there are any."""

import logging
import subprocess
from functools import cache
from importlib.util import find_spec
from typing import Final, Protocol

import torch
from torch import Tensor

from denoisplit.core.network.philox import Purpose, Streams

_LOG: Final = logging.getLogger("denoisplit")

_FAILURES: Final = (RuntimeError, AssertionError, TypeError, OSError, ImportError, subprocess.SubprocessError)
"""What Triton raises, for example where there is no C compiler."""


class Kernels(Protocol):
    """Functions on a device, each in one pass."""

    def words(self, streams: Streams, counters: int, device: torch.device) -> Tensor:
        """See ``normals.words``."""

    def normals(self, streams: Streams, chunks: int, device: torch.device) -> Tensor:
        """Whole chunks of ``normals.normals``."""


@cache
def kernels_of(device: torch.device) -> Kernels | None:
    """Those for a device; None where torch is to be used."""
    if device.type != "cuda" or find_spec("triton") is None:
        return None
    try:
        from denoisplit.core.network import philox_triton

        philox_triton.words(Streams(seed=0, purpose=Purpose.FIELD, numbers=range(1)), 1, device)
    except _FAILURES as error:
        what = str(error).strip().partition("\n")[0]
        _LOG.warning("latent noise is made by torch, as Triton fails (%s: %s)", type(error).__name__, what)
        return None
    return philox_triton
