"""Parts of a network that can be compiled as a whole."""

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import Tensor, nn

Pass = Callable[..., Tensor]
"""A function from maps [b c (z) y x] to a map."""


class CompiledBlock(nn.Module, ABC):
    """A part of a network whose training pass can be replaced by a compiled one.

    ``forward`` calls ``training_pass`` wherever a gradient or batch statistics may be needed. A compiled pass
    computes the same up to rounding; names of parameters and buffers stay. Blocks may contain blocks: then
    the outermost is compiled.
    """

    def __init__(self) -> None:
        super().__init__()
        self._compiled: Pass | None = None

    @abstractmethod
    def recorded(self, *maps: Tensor) -> Tensor:
        """The pass as torch records it for the gradient.

        A function of the maps, the parameters and torch's generators: it depends on no number in a tensor,
        and on no state but that of its modules.
        """

    def training_pass(self, *maps: Tensor) -> Tensor:
        """``recorded(*maps)``, or in training the compiled pass if there is one."""
        if self._compiled is None or not self.training:
            return self.recorded(*maps)
        return self._compiled(*maps)

    def use(self, compiled: Pass | None) -> None:
        """Use this pass in training from now on; None for ``recorded``."""
        self._compiled = compiled
