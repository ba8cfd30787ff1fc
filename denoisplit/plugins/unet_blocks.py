"""The block of a U-Net, in two and three dimensions.

Source: Ronneberger et al., MICCAI 2015; Ashesh et al., muSplit, ICCV 2023, code; method section 10.
"""

from torch import Tensor, nn

from denoisplit.core.network.compiled_block import CompiledBlock
from denoisplit.plugins.blocks import batch_norm, conv


class DoubleConv(CompiledBlock):
    """Twice (3x3 convolution without bias, batch norm, ReLU)."""

    def __init__(self, rank: int, inputs: int, outputs: int, *, middle: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            conv(rank, inputs, middle, bias=False),
            batch_norm(rank, middle),
            nn.ReLU(),
            conv(rank, middle, outputs, bias=False),
            batch_norm(rank, outputs),
            nn.ReLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[b inputs (z) y x] to [b outputs (z) y x]."""
        return self.training_pass(x)

    def recorded(self, *maps: Tensor) -> Tensor:
        """Apply the layers one by one."""
        (x,) = maps
        result: Tensor = self.layers(x)
        return result
