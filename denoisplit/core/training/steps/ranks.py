"""The processes that train one network: their parts of a batch, and their communication."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar, final

import torch
from lightning_fabric import Fabric
from torch import Tensor, distributed, nn

from denoisplit.core.network.shared_batch_norms import shared_batch_norms
from denoisplit.core.training.data.batches import Pair
from denoisplit.core.training.steps.parts import Part

Value = TypeVar("Value")


class Ranks(ABC):
    """All processes of a training, each with a number, its rank. Only the first one (0) reads and writes.

    All processes do the same in the same order: each method is called by all of them.

    Args:
        fabric: the device of this process.

    Attributes:
        rank: rank of this process.
        number: number of processes.
    """

    rank: int = 0
    number: int = 1

    def __init__(self, fabric: Fabric) -> None:
        self.fabric = fabric

    @property
    def device(self) -> torch.device:
        """Device of this process's network."""
        device: torch.device = self.fabric.device
        return device

    @abstractmethod
    def parts(self, batches: Iterable[Pair]) -> Iterator[tuple[Part, Pair]]:
        """Yield this process's parts of the batches of the first one, on the processor.

        Args:
            batches: batches of the remaining steps; the other processes have none.
        """

    @abstractmethod
    def add(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors by their sums over all processes."""

    @abstractmethod
    def from_first(self, make: Callable[[], Value]) -> Value:
        """Let the first process make a value, and return it in all processes."""

    @abstractmethod
    def sharing(self, network: nn.Module) -> AbstractContextManager[None]:
        """Context in which the batch norms of every process use the patches of all processes."""


@final
class Alone(Ranks):
    """A single process."""

    def parts(self, batches: Iterable[Pair]) -> Iterator[tuple[Part, Pair]]:
        """Yield whole batches."""
        for batch in batches:
            yield Part.whole(len(batch[0])), batch

    def add(self, tensors: Sequence[Tensor]) -> None:
        """Leave the tensors as they are: they are the sums already."""

    def from_first(self, make: Callable[[], Value]) -> Value:
        """Make the value; this is the first process."""
        return make()

    def sharing(self, network: nn.Module) -> AbstractContextManager[None]:
        """Return a context that does nothing."""
        del network
        return nullcontext()


@final
class Joined(Ranks):
    """One of several connected processes.

    Args:
        fabric: the device of this process.
        talk: process group for objects other than tensors; it never involves a GPU.
    """

    def __init__(self, fabric: Fabric, talk: Any) -> None:
        super().__init__(fabric)
        self.rank, self.number = distributed.get_rank(), distributed.get_world_size()
        self._talk = talk

    def parts(self, batches: Iterable[Pair]) -> Iterator[tuple[Part, Pair]]:
        """Yield an equal part of every batch; the first process divides it."""
        source = iter(batches) if self.rank == 0 else None
        while True:
            given = None if source is None else self._cut(next(source, None))
            found: list[tuple[Part, Pair] | None] = [None]
            distributed.scatter_object_list(found, given, src=0, group=self._talk)
            if found[0] is None:
                return
            yield found[0]

    def add(self, tensors: Sequence[Tensor]) -> None:
        """Add the tensors, in one message per dtype."""
        for dtype in sorted({tensor.dtype for tensor in tensors}, key=str):
            own = [tensor for tensor in tensors if tensor.dtype == dtype]
            flat = torch.cat([tensor.reshape(-1) for tensor in own])
            distributed.all_reduce(flat)
            sums = torch.split(flat, [tensor.numel() for tensor in own])
            for tensor, total in zip(own, sums, strict=True):
                tensor.copy_(total.view_as(tensor))

    def from_first(self, make: Callable[[], Value]) -> Value:
        """Receive the value from the first process."""
        told: list[Any] = [None if self.rank else make()]
        distributed.broadcast_object_list(told, src=0, group=self._talk)
        found: Value = told[0]
        return found

    def sharing(self, network: nn.Module) -> AbstractContextManager[None]:
        """Let batch norms normalise by the patches of all processes."""
        return shared_batch_norms(network, self._sum)

    def _sum(self, values: Tensor) -> Tensor:
        total = values.detach().clone()
        distributed.all_reduce(total)
        return total

    def _cut(self, batch: Pair | None) -> list[tuple[Part, Pair] | None]:
        if batch is None:
            return [None] * self.number
        parts = Part.whole(len(batch[0])).divided(self.number)
        return [(part, part.of(batch)) for part in parts]
