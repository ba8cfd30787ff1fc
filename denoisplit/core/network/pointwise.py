"""Functions of one pixel evaluated block by block, so that what they leave in between stays in the cache."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

BLOCK = 1 << 16
"""Elements of a block: a dozen intermediate results of this size fit the cache of one core."""

Pointwise = Callable[[Tensor, Tensor], Tensor]


def pointwise(function: Pointwise, observation: Tensor, signal: Tensor) -> Tensor:
    """``function(observation, signal)``, where an output element depends on its own pixel and channel only.

    An elementary operation on whole images moves every intermediate result through main memory, and a
    likelihood takes dozens of them. In blocks only the arguments, the result and the derivatives travel; the
    derivatives are taken while the block is at hand. On other devices than a processor, the function is
    called as it is.

    Args:
        function: of two blocks [1 c rows ...] of the arguments. It must not hold parameters that want a
            gradient: they would get none.
        observation: [b c (z) y x].
        signal: of the same shape.

    Returns:
        [b c (z) y x].
    """
    small = signal.numel() <= BLOCK
    if small or observation.shape != signal.shape or signal.ndim < 4 or signal.device.type != "cpu":
        return function(observation, signal)
    value: Tensor = _APPLY(function, observation, signal)
    return value


class _InBlocks(torch.autograd.Function):
    """Value and derivatives in one pass over the blocks."""

    @staticmethod
    def forward(ctx: Any, function: Pointwise, *arguments: Tensor) -> Tensor:
        wanted = [argument.requires_grad for argument in arguments]
        value = torch.empty_like(arguments[-1], memory_format=torch.contiguous_format)
        slopes = [torch.empty_like(value) for want in wanted if want]
        for block in _blocks(value.shape):
            parts = [argument[block].contiguous() for argument in arguments]
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


def _blocks(shape: torch.Size) -> list[tuple[slice, ...]]:
    """Slices of single images and of as many rows (or planes) as a block holds, all channels together."""
    rows = max(1, BLOCK * shape[2] // max(1, shape[1:].numel()))
    return [
        (slice(image, image + 1), slice(None), slice(row, row + rows))
        for image in range(shape[0])
        for row in range(0, shape[2], rows)
    ]
