"""Places in maps, and what is too far away to matter."""

from collections.abc import Callable, Sequence
from typing import Final

import torch
from torch import Tensor

_CENTRED: Final = 0.1
"""How far from its place something may be on average, in sides."""

_STRIDES: Final = (8, 16, 32)
"""Strides along a side of an image, until what is far away has no effect."""

_ROUNDING: Final = 1e-9


def assert_vanishes(measure: Callable[[int], float], what: str) -> None:
    """Fail unless a difference vanishes in a large image; ``what`` begins the message.

    Args:
        measure: function from the strides along a side of the image to the difference.
        what: what there is a difference in.
    """
    for strides in _STRIDES:
        found = measure(strides)
        if found <= _ROUNDING:
            return
    raise AssertionError(f"{what} (difference {found:.3g} in {strides} strides)")


def centre_of_mass(weight: Tensor, axes: int) -> tuple[float, ...]:
    """Return the centre of mass of a map along its last axes, in sides."""
    found = []
    for axis in range(weight.ndim - axes, weight.ndim):
        line = weight.sum([other for other in range(weight.ndim) if other != axis])
        positions = (torch.arange(len(line), dtype=line.dtype) + 0.5) / len(line)
        found.append(float((line * positions).sum() / line.sum()))
    return tuple(found)


def assert_there(found: Sequence[float], expected: Sequence[float], what: str) -> None:
    """Fail unless a place is the expected one, both in sides per axis; ``what`` begins the message."""
    apart = max(abs(f - e) for f, e in zip(found, expected, strict=True))
    assert apart < _CENTRED, f"{what} around {_shown(found)} instead of {_shown(expected)} of the sides"


def _shown(place: Sequence[float]) -> str:
    return f"({', '.join(f'{one:.2f}' for one in place)})"
