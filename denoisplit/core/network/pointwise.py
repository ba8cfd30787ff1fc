"""Elementwise functions, evaluated block by block so that intermediate results stay in the cache."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

BLOCK = 1 << 16
"""Elements of a block: a dozen intermediate results of this size fit into the cache of one core."""

MANY_CHANNELS = 16
"""Number of channels from which running along channels is as fast as running along pixels."""

_CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}

Pointwise = Callable[..., Tensor]


def pointwise(function: Pointwise, *arguments: Tensor) -> Tensor:
    """``function(*arguments)``, if an output element depends on its own pixel and channel only.

    An elementary operation on whole images moves every intermediate result through main memory, and a
    likelihood takes dozens of them. In blocks, only the arguments, the result and the derivatives move; the
    derivatives are computed while the block is in the cache. On devices other than a processor, under a
    compiler, and for arguments of several shapes, the function is called directly.

    Args:
        function: function of blocks [b c rows ...] of the arguments. It must not hold parameters that need a
            gradient: they would get none.
        arguments: arrays [b c (z) y x], all of one shape.

    Returns:
        [b c (z) y x].
    """
    last = arguments[-1]
    if (
        torch.compiler.is_compiling()  # first: a graph that was asked for its size would be for no other
        or last.numel() <= BLOCK
        or last.ndim not in _CHANNELS_LAST
        or last.device.type != "cpu"
        or any(argument.shape != last.shape for argument in arguments)
    ):
        return function(*arguments)
    value: Tensor = _APPLY(function, *arguments)
    return value


class _InBlocks(torch.autograd.Function):
    """Value and derivatives in one pass over the blocks."""

    @staticmethod
    def forward(ctx: Any, function: Pointwise, *arguments: Tensor) -> Tensor:
        wanted = [argument.requires_grad for argument in arguments]
        layout = _layout(arguments)
        value = torch.empty_like(arguments[-1], memory_format=layout)
        slopes = [torch.empty_like(value) for want in wanted if want]
        for block in _blocks(value.shape):
            parts = [argument[block].contiguous(memory_format=layout) for argument in arguments]
            if not slopes:
                value[block] = function(*parts)
                continue
            with torch.enable_grad():
                leaves = [
                    part.detach().requires_grad_(want) for part, want in zip(parts, wanted, strict=True)
                ]
                result = function(*leaves)
            value[block] = result.detach()
            asked = [leaf for leaf in leaves if leaf.requires_grad]
            found = torch.autograd.grad(result, asked, torch.ones_like(result))
            for slope, one in zip(slopes, found, strict=True):
                slope[block] = one
        ctx.wanted = wanted
        ctx.save_for_backward(*slopes)
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        slopes = iter(ctx.saved_tensors)
        return (None, *(grad * next(slopes) if want else None for want in ctx.wanted))


_APPLY: Callable[..., Any] = _InBlocks.apply


def _layout(arguments: tuple[Tensor, ...]) -> torch.memory_format:
    """Channels last if all arguments are so and have many of them, else pixels last.

    With few channels, a number per channel would interrupt every run of neighbouring elements.
    """
    many = arguments[0].shape[1] >= MANY_CHANNELS
    if many and all(argument.stride(1) == 1 for argument in arguments):
        return _CHANNELS_LAST[arguments[0].ndim]
    return torch.contiguous_format


def _blocks(shape: torch.Size) -> list[tuple[slice, ...]]:
    """Slices of as many images as fit a block, or else of as many rows (or planes) of a single image.

    All channels stay together.
    """
    size = max(1, shape[1:].numel())
    if size <= BLOCK:
        several = BLOCK // size
        return [(slice(first, first + several),) for first in range(0, shape[0], several)]
    rows = max(1, BLOCK * shape[2] // size)
    return [
        (slice(image, image + 1), slice(None), slice(row, row + rows))
        for image in range(shape[0])
        for row in range(0, shape[2], rows)
    ]
