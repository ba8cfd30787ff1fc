"""How much of an image fits into memory at once, estimated from a pass over one small image."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import attrs
import torch
from torch import Tensor, nn

from denoisplit.core.devices import memory_budget
from denoisplit.core.network.noise_source import ZeroNoise
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.tiles.canvas import canvas_multiple
from denoisplit.core.prediction.tiles.tiling import canvas_shape, round_up

TENSORS_ALIVE = 8
"""Tensors of the largest size that are alive at the same time (skip, input, normalised, activated, output,
and the workspace of a convolution); measured on ladder networks, with a margin."""

TENSORS_ALIVE_ON_PROCESSORS = 5
"""The same if local layers are evaluated in windows; a ladder of width 64 needed 3.4 in bf16."""

MAX_SAMPLE_BATCH = 8
"""Posterior samples per pass on a GPU; more are no faster."""

BESIDE = 64
"""Bytes per pixel and image that a tile needs beside the network: sums in float64, chi-square, results."""

STREAMED_BUDGET = 1 << 30
"""Working memory of predictions from file to file, bytes; with everything else that a process needs, it stays
below 2 GB."""


@attrs.frozen
class _Largest:
    """Records the size of the largest tensor that any module returned, bytes."""

    sizes: list[int] = attrs.field(factory=lambda: [0])

    def see(self, _module: nn.Module, _inputs: tuple[object, ...], output: object) -> None:
        if isinstance(output, Tensor):
            self.sizes[0] = max(self.sizes[0], output.nbytes)


@contextmanager
def _watching(vse: VSE) -> Iterator[_Largest]:
    largest = _Largest()
    handles = [module.register_forward_hook(largest.see) for module in vse.modules()]
    try:
        yield largest
    finally:
        for handle in handles:
            handle.remove()


def bytes_per_pixel(vse: VSE, orientations: int = 1) -> float:
    """Working memory of one posterior sample, bytes per pixel of the mixed image; measured once per network.

    ``TENSORS_ALIVE`` times the largest tensor that a module returns, plus the features of all levels of every
    orientation of the image.
    """
    device = vse.device.type
    known = (device, vse.network_dtype, orientations)
    if known not in vse.bytes_per_pixel:
        shape = tuple(2 * s for s in canvas_multiple(vse))
        with torch.inference_mode(), vse.autocast(), _watching(vse) as largest:
            features = vse.encode(torch.full((1, 1 + vse.context, *shape), vse.statistics.mixed_mean))
            vse.sample(features, ZeroNoise())
        kept = sum(feature.nbytes for feature in features)
        alive = TENSORS_ALIVE_ON_PROCESSORS if device == "cpu" else TENSORS_ALIVE
        vse.bytes_per_pixel[known] = (alive * largest.sizes[0] + orientations * kept) / math.prod(shape)
    return vse.bytes_per_pixel[known]


def streamed_budget(device: torch.device, *, processes: int) -> int:
    """Memory budget of a process that predicts from file to file, bytes; the same for images of any size.

    Args:
        device: device that predicts.
        processes: number of processes that share a GPU; on a processor, each has its own budget.
    """
    if device.type == "cuda":
        return memory_budget(device) // processes
    return min(memory_budget(device), STREAMED_BUDGET)


def largest_tile(
    shape: Sequence[int], *, halo: Sequence[int], stride: Sequence[int], pixels: float
) -> tuple[int, ...]:
    """Largest inner tile whose outer area has at most ``pixels`` pixels, split evenly over the image.

    Never smaller than the halo: below that, nearly all work would be done for pixels that are thrown away.

    Returns:
        Pixels per spatial axis, multiples of the stride.
    """
    canvas = canvas_shape(shape, stride)

    def inner(side: int) -> tuple[int, ...]:
        return tuple(min(round_up(side, s), n) for s, n in zip(stride, canvas, strict=True))

    def fits(side: int) -> bool:
        sides = zip(inner(side), halo, canvas, strict=True)
        return math.prod(min(t + 2 * h, n) for t, h, n in sides) <= pixels

    step = max(stride)
    side = max(step, *halo)
    while side < max(canvas) and fits(side + step):
        side += step
    counts = [-(-n // t) for n, t in zip(canvas, inner(side), strict=True)]
    return tuple(round_up(-(-n // k), s) for n, k, s in zip(canvas, counts, stride, strict=True))
