"""Jobs for executors, in a module that workers import quickly."""

import importlib
import time
from typing import Any, Final

import attrs

_SECONDS: Final = 0.02


@attrs.frozen
class Rest:
    """When a job began and ended, seconds."""

    begin: float
    end: float


def rested() -> Rest:
    """Rest a little."""
    begin = time.time()
    time.sleep(_SECONDS)
    return Rest(begin, time.time())


def threads_here() -> int:
    """Return with how many threads torch computes in this process."""
    torch: Any = importlib.import_module("torch")
    found: int = torch.get_num_threads()
    return found
