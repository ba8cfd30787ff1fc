"""Faster random numbers on a device, where available."""

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
"""Exceptions of Triton, for example if there is no C compiler."""


class Kernels(Protocol):
    """Random number functions on a device, each in one pass."""

    def words(self, streams: Streams, counters: int, device: torch.device) -> Tensor:
        """See ``normals.words``."""

    def normals(self, streams: Streams, chunks: int, device: torch.device) -> Tensor:
        """Whole chunks of ``normals.normals``."""


@cache
def kernels_of(device: torch.device) -> Kernels | None:
    """Kernels for a device; None if torch is to be used."""
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
