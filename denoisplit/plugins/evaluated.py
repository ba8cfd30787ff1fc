"""A residual block in fewer steps, for evaluation.

The second batch norm is folded into the convolution before it, and every step changes the result of the one
before in place.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

Evaluated = Callable[[Tensor], Tensor]

_CONV: dict[int, Any] = {4: functional.conv2d, 5: functional.conv3d}


def residual(layers: nn.Sequential) -> Evaluated:
    """Return a residual block in evaluation mode as a function.

    Args:
        layers: batch norm, ELU, convolution, dropout, twice; then a gate, or none.

    Returns:
        A function from a map [b c (z) y x] to one of the same shape; it does not change its argument.
    """
    norm, _, first, _, second_norm, _, second, _, *gate = layers
    weight, bias = _folded(first, second_norm)
    pad = first.padding

    def block(x: Tensor) -> Tensor:
        y = functional.elu(norm(x), inplace=True)
        y = functional.elu(_CONV[x.ndim](y, weight, bias, padding=pad), inplace=True)
        y = second(y)
        for module in gate:
            y = module(y)
        result: Tensor = y.add_(x) if y.dtype is x.dtype else y + x
        return result

    return block


def _folded(convolution: Any, norm: Any) -> tuple[Tensor, Tensor]:
    """Return weight and bias of a convolution and the batch norm with fixed statistics after it."""
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    weight = convolution.weight * scale.view(-1, *[1] * (convolution.weight.ndim - 1))
    return weight, (convolution.bias - norm.running_mean) * scale + norm.bias
