"""Local functions of maps, evaluated window by window so that intermediate results stay in the cache.

A step over a whole map at full size moves it through main memory, and allocates memory that the system has
to clear first. Windows are small enough to avoid both.
"""

import math
from collections.abc import Callable, Iterator
from itertools import product

import torch
from torch import Tensor

WINDOW_BYTES = 1 << 22
"""Size of the larger of argument and result in one window. Intermediate results may have several times as
many maps: beyond 32 MB, freed memory goes back to the system, and getting it again is slow."""

CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}

Local = Callable[..., Tensor]
"""Function of maps [b c (z) y x] to a map whose positions depend only on the positions around them."""

_Part = tuple[slice, ...]


def records_nothing(maps: Tensor) -> bool:
    """Whether maps are on a CPU, need no gradient, and no compiler is to see every step."""
    return (
        not torch.is_grad_enabled()
        and maps.device.type == "cpu"
        and maps.ndim in CHANNELS_LAST
        and not torch.compiler.is_compiling()
    )


def by_windows(
    function: Local, *maps: Tensor, reach: tuple[int, ...], scale: tuple[int, ...] | None = None
) -> Tensor:
    """Return ``function(*maps)``, evaluated in windows where that is possible and the maps are large.

    Windows at the border end where the maps end, so the function treats borders as it does in whole maps.

    Args:
        function: local function, which must not change its arguments. With a gradient it gets whole maps.
        maps: [b c (z) y x] with the same positions.
        reach: positions on each side, per axis, that a result depends on.
        scale: positions of the result per position of the maps and axis; None for one.

    Returns:
        The result of ``function`` up to rounding; bit for bit the same for the same maps.
    """
    size = tuple(maps[0].shape[2:])
    scale = (1,) * len(size) if scale is None else scale
    sides = _sides(maps, reach, math.prod(scale)) if records_nothing(maps[0]) else size
    if sides == size:
        return function(*maps)
    out: Tensor | None = None
    for inner, outer, keep in _windows(size, sides, reach, scale):
        cut = (slice(None), slice(None), *outer)
        part = function(*(_packed(one[cut]) for one in maps))
        if out is None:
            shape = (*part.shape[:2], *(n * s for n, s in zip(size, scale, strict=True)))
            out = torch.empty(
                shape, dtype=part.dtype, device=part.device, memory_format=CHANNELS_LAST[part.ndim]
            )
        out[(slice(None), slice(None), *inner)] = part[(slice(None), slice(None), *keep)]
    if out is None:
        raise ValueError("by_windows: a map without positions")
    return out


def _packed(part: Tensor) -> Tensor:
    """Return a contiguous copy of the rows, which fast kernels need."""
    return part.contiguous(memory_format=CHANNELS_LAST[part.ndim])


def _sides(maps: tuple[Tensor, ...], reach: tuple[int, ...], growth: int) -> tuple[int, ...]:
    """Return the positions per axis of a window: the largest axis is divided until it is small enough."""
    size = tuple(maps[0].shape[2:])
    most = max(one.shape[0] * one.shape[1] * one.element_size() for one in maps) * growth
    parts = [1] * len(size)

    def sides() -> list[int]:
        return [-(-n // k) for n, k in zip(size, parts, strict=True)]

    while math.prod(sides()) * most > WINDOW_BYTES:
        # Below a few times its reach, a window would be mostly margin.
        axes = [axis for axis, side in enumerate(sides()) if side > 8 * reach[axis] + 1]
        if not axes:
            break
        parts[max(axes, key=lambda axis: sides()[axis])] += 1
    return tuple(sides())


def _windows(
    size: tuple[int, ...], sides: tuple[int, ...], reach: tuple[int, ...], scale: tuple[int, ...]
) -> Iterator[tuple[_Part, _Part, _Part]]:
    """Yield the place in the result, the part of the maps that it needs, and what to keep of the output."""
    per_axis = []
    for n, side, around, s in zip(size, sides, reach, scale, strict=True):
        spans = []
        for start in range(0, n, side):
            stop = min(start + side, n)
            low, high = max(0, start - around), min(n, stop + around)
            there = slice(start * s, stop * s)
            spans.append((there, slice(low, high), slice((start - low) * s, (stop - low) * s)))
        per_axis.append(spans)
    for combined in product(*per_axis):
        inner, outer, keep = zip(*combined, strict=True)
        yield inner, outer, keep
