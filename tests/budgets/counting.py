"""Counts of what a piece of code asks of the machine. Unlike times, they are the same in every run."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

ADVICE = (
    "Look for a loop over tensors, channels or levels that one call could do, and for work that not every "
    "step needs. If the new work is worth it, raise the budget in the commit that explains why."
)


def within(found: float, budget: float, what: str) -> None:
    """Fail with advice when a count is above its budget."""
    assert found <= budget, f"{what}: {found:.0f}, the budget is {budget:.0f}. {ADVICE}"


FREE = ("detach", "_local_scalar_dense")
"""Operators that touch no more than one number."""


@contextmanager
def operators() -> Iterator[list[str]]:
    """Names of the operators that torch runs, in their order; backward ones too, free ones left out."""
    names: list[str] = []

    def dispatch(
        mode: object, function: Any, types: object, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = str(function.overloadpacket).removeprefix("aten.")
        if name not in FREE:
            names.append(name)
        return function(*args, **(kwargs or {}))

    made: Any = type("Watch", (TorchDispatchMode,), {"__torch_dispatch__": dispatch})
    with made():
        yield names


class Calls:
    """Counts calls of Python functions while it is on."""

    def __init__(self) -> None:
        self.number = 0

    def start(self) -> None:
        sys.setprofile(self._watch)

    def stop(self) -> None:
        sys.setprofile(None)

    def _watch(self, frame: FrameType, event: str, argument: object) -> None:
        self.number += event == "call"


@contextmanager
def counted(calls: Calls) -> Iterator[None]:
    calls.start()
    try:
        yield
    finally:
        calls.stop()


def kept_bytes(run: Callable[[], Tensor], besides: Iterable[Tensor]) -> int:
    """Bytes that autograd keeps for the way back, every area of memory once, without those of ``besides``."""
    areas: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        areas[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        result = run()  # while this lives, no area is used twice
    known = {tensor.untyped_storage().data_ptr() for tensor in besides}
    assert result.requires_grad
    return sum(size for pointer, size in areas.items() if pointer not in known)
