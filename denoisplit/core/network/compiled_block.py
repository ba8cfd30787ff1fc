"""Parts of a network that a compiler may take as a whole."""

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import Tensor, nn

Pass = Callable[..., Tensor]
"""From maps [b c (z) y x] to a map."""


class CompiledBlock(nn.Module, ABC):
    """A part of a network whose training pass may be replaced by a compiled one.

    ``forward`` calls ``training_pass`` where a gradient or the statistics of the batch may be wanted. What a
    compiled pass computes is the same up to rounding; names of parameters and buffers do not change with it.
    Blocks may consist of blocks: then the outermost is compiled.
    """

    def __init__(self) -> None:
        super().__init__()
        self._compiled: Pass | None = None

    @abstractmethod
    def recorded(self, *maps: Tensor) -> Tensor:
        """The pass as torch records it for the gradient.

        A function of the maps, the parameters and the generators of torch: it looks at no number of a
        tensor, and at no state but that of its modules.
        """

    def training_pass(self, *maps: Tensor) -> Tensor:
        """``recorded(*maps)``, compiled in training where a compiled pass was given."""
        if self._compiled is None or not self.training:
            return self.recorded(*maps)
        return self._compiled(*maps)

    def use(self, compiled: Pass | None) -> None:
        """Train with this pass from now on; None for ``recorded``."""
        self._compiled = compiled
