"""Comparison of derivatives with finite differences, in float64.

A finite difference reveals errors of a derivative written by hand, a ``detach``, or rounding on the way.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from denoisplit.testing.strategies import random

_STEP = 1e-5
_TOLERANCE = 1e-3
_ATTEMPTS = 3
"""Number of directions: a kink or the edge of a bin may lie within one step, but not in all directions."""


def assert_derivative(
    function: Callable[..., Tensor], arguments: Sequence[Tensor], what: str, *, step: float = _STEP
) -> None:
    """Check the gradient of a random projection of a function's value against finite differences.

    Args:
        function: function of the arguments; evaluated once with gradients, and without for the differences.
        arguments: float64 tensors, each moved in a random direction.
        what: beginning of the message.
        step: step of the difference, in units of the arguments.
    """
    worst = ""
    for attempt in range(_ATTEMPTS):
        slope, rise = _both(function, arguments, attempt, step)
        apart = float((slope - rise).abs())
        if apart <= _TOLERANCE * float(slope.abs() + rise.abs()) + 1e-7:
            return
        worst = worst or f"{what}: {float(slope):.6g}, by differences {float(rise):.6g}"
    raise AssertionError(worst)


def _both(
    function: Callable[..., Tensor], arguments: Sequence[Tensor], seed: int, step: float
) -> tuple[Tensor, Tensor]:
    """Return the derivative along a direction, by the gradient and by a central difference."""
    directions = [random(31 * seed + n, *one.shape) for n, one in enumerate(arguments)]
    leaves = [one.detach().clone().requires_grad_() for one in arguments]
    with torch.enable_grad():
        value = function(*leaves)
        weights = random(1000 + seed, *value.shape)
        found = (
            torch.autograd.grad((value * weights).sum(), leaves, allow_unused=True)
            if value.requires_grad
            else [None] * len(leaves)
        )
    slope = torch.zeros((), dtype=torch.float64)
    for one, direction in zip(found, directions, strict=True):
        slope = slope if one is None else slope + (one * direction).sum()

    def moved(sign: int) -> Tensor:
        with torch.no_grad():
            there = [one + sign * step * d for one, d in zip(arguments, directions, strict=True)]
            return function(*there)

    # Subtract before summing: sums of large numbers would lose the difference.
    rise = ((moved(1) - moved(-1)) * weights).sum() / (2 * step)
    return slope, rise
