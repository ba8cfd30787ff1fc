"""Residual, gated and resampling blocks shared by encoders and decoders, in two and three dimensions.

Source: Prakash et al., HDN, ICLR 2022; method section 1.1.
"""

from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from denoisplit.core.network.compiled_block import CompiledBlock
from denoisplit.core.network.dropout import ChannelDropout
from denoisplit.plugins.evaluated import Evaluated, residual
from denoisplit.plugins.windows import by_windows, records_nothing

_CONV: dict[int, Any] = {2: nn.Conv2d, 3: nn.Conv3d}
_TRANSPOSED: dict[int, Any] = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
_NORM: dict[int, Any] = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
_MEAN_POOL: dict[int, Any] = {2: nn.AvgPool2d, 3: nn.AvgPool3d}
_MAX_POOL: dict[int, Any] = {2: nn.MaxPool2d, 3: nn.MaxPool3d}

LINEAR = {2: "bilinear", 3: "trilinear"}
"""Modes of linear interpolation, by number of spatial axes."""

KERNEL = 3

BLOCK_REACH = 2
"""Positions on each side that a residual block depends on: one per convolution."""


MOST_LEVELS: Final = 30
"""More halvings leave nothing of any image; without a bound, a mistyped number would build for hours."""
MOST_BLOCKS: Final = 1000


def conv(
    rank: int,
    inputs: int,
    outputs: int,
    *,
    kernel: int = KERNEL,
    stride: tuple[int, ...] | int = 1,
    bias: bool = True,
) -> nn.Module:
    """Convolution with ``rank`` spatial axes that keeps the size at stride 1."""
    module: nn.Module = _CONV[rank](inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=bias)
    return module


def batch_norm(rank: int, channels: int) -> nn.Module:
    """Batch normalisation of maps with ``rank`` spatial axes."""
    module: nn.Module = _NORM[rank](channels)
    return module


def mean_pool(rank: int, side: int) -> nn.Module:
    """Mean over squares (cubes) of ``side`` pixels."""
    module: nn.Module = _MEAN_POOL[rank](side) if side > 1 else nn.Identity()
    return module


def max_pool(rank: int, side: int) -> nn.Module:
    """Largest value of squares (cubes) of ``side`` pixels."""
    module: nn.Module = _MAX_POOL[rank](side)
    return module


def centre_crop(x: Tensor, size: tuple[int, ...]) -> Tensor:
    """The centre of a map [b c (z) y x]; where it cannot be in the middle, one position nearer the start."""
    starts = [(have - want) // 2 for have, want in zip(x.shape[2:], size, strict=True)]
    window = (slice(start, start + want) for start, want in zip(starts, size, strict=True))
    return x[(slice(None), slice(None), *window)]


def centre_pad(x: Tensor, size: tuple[int, ...]) -> Tensor:
    """A map [b c (z) y x] with zeros around it, so that ``centre_crop`` gives it back."""
    pad: list[int] = []
    for have, want in zip(reversed(x.shape[2:]), reversed(size), strict=True):
        before = (want - have) // 2
        pad += [before, want - have - before]
    return functional.pad(x, pad)


class Gate(nn.Module):
    """Gated linear unit over channels: 1x1 convolution to two maps, ``elu(a) * sigmoid(g)``."""

    def __init__(self, rank: int, channels: int) -> None:
        super().__init__()
        self.conv = conv(rank, channels, 2 * channels, kernel=1)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as ``x`` [b c (z) y x]."""
        both = self.conv(x)
        value, gate = both.chunk(2, dim=1)
        if records_nothing(x):
            functional.elu(value, inplace=True)
            return functional.glu(both, dim=1)
        return functional.elu(value) * torch.sigmoid(gate)


class ResidualBlock(CompiledBlock):
    """Twice (batch norm, ELU, 3x3 convolution, channel dropout), an optional gate, plus the input.

    Nothing else holds the result of a step, so the next step changes it in place instead of allocating
    memory.
    """

    def __init__(self, rank: int, channels: int, *, dropout: float, gated: bool = True) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(2):
            layers += [
                batch_norm(rank, channels),
                nn.ELU(inplace=True),
                conv(rank, channels, channels),
                ChannelDropout(channels, dropout, inplace=True),
            ]
        if gated:
            layers.append(Gate(rank, channels))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as ``x`` [b c (z) y x]."""
        if self.evaluates(x):
            return by_windows(self.evaluated(), x, reach=(BLOCK_REACH,) * (x.ndim - 2))
        return self.training_pass(x)

    def recorded(self, *maps: Tensor) -> Tensor:
        """Apply the layers one by one."""
        (x,) = maps
        result: Tensor = self.layers(x)
        return result.add_(x) if result.dtype is x.dtype else result + x

    def evaluates(self, x: Tensor) -> bool:
        """Whether ``evaluated`` may stand for the layers: neither gradient nor statistics are wanted."""
        return not self.training and records_nothing(x)

    def evaluated(self) -> Evaluated:
        """The block as a function of maps, with fewer steps than layers."""
        return residual(self.layers)


class Downsample(nn.Module):
    """Strided 3x3 convolution, then a gated residual block.

    ``inputs`` channels come in, else as many as go out.
    """

    def __init__(
        self, rank: int, channels: int, *, stride: tuple[int, ...], dropout: float, inputs: int | None = None
    ) -> None:
        super().__init__()
        self.resample = conv(rank, inputs or channels, channels, stride=stride)
        self.block = ResidualBlock(rank, channels, dropout=dropout)

    def forward(self, x: Tensor) -> Tensor:
        """[b inputs y x] to [b c y/stride x/stride]."""
        result: Tensor = self.block(self.resample(x))
        return result


class Upsample(nn.Module):
    """Transposed 3x3 convolution that multiplies every side by ``stride``, then a gated residual block.

    ``inputs`` channels come in, else as many as go out.
    """

    def __init__(
        self, rank: int, channels: int, *, stride: tuple[int, ...], dropout: float, inputs: int | None = None
    ) -> None:
        super().__init__()
        self._stride = stride
        self.resample: nn.Module = _TRANSPOSED[rank](
            inputs or channels,
            channels,
            KERNEL,
            stride=stride,
            padding=KERNEL // 2,
            output_padding=tuple(s - 1 for s in stride),
        )
        self.block = ResidualBlock(rank, channels, dropout=dropout)

    def forward(self, x: Tensor) -> Tensor:
        """[b inputs y x] to [b c y*stride x*stride]."""
        if self.block.evaluates(x):
            block = self.block.evaluated()
            # The transposed convolution reaches one position of its result farther than the block.
            reach = tuple(-(-(BLOCK_REACH + 1) // s) for s in self._stride)
            return by_windows(lambda part: block(self.resample(part)), x, reach=reach, scale=self._stride)
        result: Tensor = self.block(self.resample(x))
        return result


class Merge(nn.Module):
    """Two maps to one: concatenation, 1x1 convolution, gated residual block."""

    def __init__(self, rank: int, channels: int, *, dropout: float) -> None:
        super().__init__()
        self.project = conv(rank, 2 * channels, channels, kernel=1)
        self.block = ResidualBlock(rank, channels, dropout=dropout)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Same shape as each input [b c (z) y x]; the order of the inputs matters."""
        if self.block.evaluates(first):
            block = self.block.evaluated()
            reach = (BLOCK_REACH,) * (first.ndim - 2)
            return by_windows(lambda *parts: block(self._joined(*parts)), first, second, reach=reach)
        result: Tensor = self.block(self._joined(first, second))
        return result

    def _joined(self, first: Tensor, second: Tensor) -> Tensor:
        joined: Tensor = self.project(torch.cat([first, second], dim=1))
        return joined
