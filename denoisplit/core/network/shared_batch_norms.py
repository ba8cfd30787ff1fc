"""Batch norms across processes: each normalises by the patches of all."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

Add = Callable[[Tensor], Tensor]
"""A function that sums a tensor over all processes, without a gradient."""


@contextmanager
def shared_batch_norms(network: nn.Module, add: Add) -> Iterator[None]:
    """Context in which a network's batch norms use the statistics of all processes' patches.

    ``torch.nn.SyncBatchNorm`` does this on GPUs only. Names and state stay as they are.

    Args:
        network: the network, the same in every process.
        add: sums over all processes, which call it in the same order.
    """
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    for norm in norms:
        norm.forward = partial(_forward, norm, add)  # type: ignore[method-assign]  # as torch calls it
    try:
        yield
    finally:
        for norm in norms:
            del norm.forward


def _forward(norm: _BatchNorm, add: Add, maps: Tensor) -> Tensor:
    """Normalised maps [b c (z) y x]; in evaluation mode as usual."""
    if not norm.training:
        result: Tensor = type(norm).forward(norm, maps)
        return result
    values = maps.float() if maps.dtype in (torch.bfloat16, torch.float16) else maps
    others = [axis for axis in range(maps.ndim) if axis != 1]
    count = values.new_full((1,), maps.numel() // maps.shape[1])
    sums, number = torch.split(_summed(torch.cat([values.sum(others), count]), add), [maps.shape[1], 1])
    mean = sums / number
    shape = (1, -1, *(1 for _ in others[1:]))
    centred = values - mean.view(shape)
    variance = _summed(centred.square().sum(others), add) / number
    _remember(norm, *(one.detach() for one in (mean, variance, number)))
    scale = (variance + norm.eps).rsqrt()
    if norm.affine:
        scale = scale * norm.weight
    result = centred * scale.view(shape)
    if norm.affine:
        result = result + norm.bias.view(shape)
    return result.to(maps.dtype)


def _remember(norm: _BatchNorm, mean: Tensor, variance: Tensor, number: Tensor) -> None:
    """Update the running statistics, as ``torch.nn.BatchNorm2d`` does."""
    if norm.running_mean is None or norm.running_var is None or norm.num_batches_tracked is None:
        return
    norm.num_batches_tracked.add_(1)
    momentum = norm.momentum if norm.momentum is not None else 1 / norm.num_batches_tracked
    unbiased = variance * number / (number - 1)
    norm.running_mean.lerp_(mean.to(norm.running_mean), momentum)
    norm.running_var.lerp_(unbiased.to(norm.running_var), momentum)


def _summed(values: Tensor, add: Add) -> Tensor:
    result: Tensor = _Summed.apply(values, add)  # type: ignore[no-untyped-call]  # torch has no types for it
    return result


class _Summed(torch.autograd.Function):
    """The sum over all processes; its gradient is the sum of all processes' gradients."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, add: Add) -> Tensor:
        ctx.add = add
        return add(values)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return ctx.add(gradient), None
