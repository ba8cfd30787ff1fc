"""The receptive field, measured from the network instead of derived from its architecture.

NaN spreads through a network exactly as far as values do. A strip whose middle is NaN shows how many pixels
beside it can change when it changes, for any encoder and decoder, third-party ones included.
"""

import copy
import math

import attrs
import torch
from torch import Tensor

from denoisplit.core.errors import PluginError
from denoisplit.core.network.noise_source import NoiseSource
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.tiles.canvas import canvas_multiple

FIRST_PROBE = 16
LAST_PROBE = 128
"""Strides on each side of the NaN area, in the first probe and in the last before giving up."""

_HALF_NAN_STRIDES = 1


@attrs.frozen
class _UnknownNoise(NoiseSource):
    """Zeros, with NaN in the middle, where the image is unknown: a tile has no noise there either."""

    axis: int
    half: int
    level_strides: tuple[tuple[int, ...], ...]

    def normal(self, level: int, like: Tensor) -> Tensor:
        stride = self.level_strides[level][self.axis]
        noise = torch.zeros_like(like)
        _forget_middle(noise, self.axis + 2, self.half // stride)
        return noise


def _forget_middle(tensor: Tensor, dim: int, half: int) -> None:
    """Set the middle of an axis to NaN."""
    tensor.narrow(dim, tensor.shape[dim] // 2 - half, 2 * half).fill_(math.nan)


def halo(vse: VSE, *, last_probe: int = LAST_PROBE) -> tuple[int, ...]:
    """Pixels on each side of a tile on which its prediction depends; measured once per network.

    Measured on a float64 copy on the CPU, where convolutions are plain sums: the transforms of faster kernels
    would smear NaN over pixels that do not depend on it.

    Args:
        vse: the network.
        last_probe: strides on each side of the NaN area in the last probe before giving up.

    Returns:
        One number per spatial axis, rounded up to a multiple of the stride.

    Raises:
        PluginError: the network looks further than the largest probe, for example because it normalises over
            the image.
    """
    if vse.halo is None:
        probe = copy.deepcopy(vse).to(device="cpu", dtype=torch.float64).eval()
        vse.halo = tuple(_along(probe, axis, last_probe) for axis in range(probe.spatial_rank))
    return vse.halo


def _along(vse: VSE, axis: int, last_probe: int) -> int:
    """The halo along one axis, from strips one stride thick along the others."""
    stride = vse.stride[axis]
    strides = FIRST_PROBE
    while strides <= last_probe:
        reach = _reach(vse, axis, strides * stride)
        if reach < strides * stride:
            return -(-reach // stride) * stride
        strides *= 2
    raise PluginError(
        f"prediction in tiles: the output depends on pixels that are far away (got {last_probe * stride} "
        f"pixels along spatial axis {axis} and no end). Predict images in one pass (tile at least as large "
        f"as the image), or use components without normalisation or attention over the whole image."
    )


def _reach(vse: VSE, axis: int, side: int) -> int:
    """Number of pixels beside an unknown area that depend on it; ``side`` pixels are known on each side.

    The same area is unknown at every scale that the network takes.
    """
    shape = list(canvas_multiple(vse))
    half = _HALF_NAN_STRIDES * vse.stride[axis]
    start, stop = side, side + 2 * half
    shape[axis] = stop + side
    mixed = torch.full((1, 1 + vse.context, *shape), vse.statistics.mixed_mean, dtype=torch.float64)
    halved = axis >= vse.spatial_rank - 2
    for scale in range(1 + vse.context):
        _forget_middle(mixed[:, scale], axis + 1, half // 2**scale if halved else half)
    with torch.inference_mode():
        signal = vse.signal(vse.sample_maps(vse.encode(mixed), _UnknownNoise(axis, half, vse.level_strides)))
    others = [d for d in range(signal.ndim) if d != axis + 2]
    unknown = signal.isnan().any(dim=others[-1], keepdim=True)
    for d in others[:-1]:
        unknown = unknown.any(dim=d, keepdim=True)
    reached = unknown.flatten().nonzero().flatten()
    return max(start - int(reached[0]), int(reached[-1]) + 1 - stop, 0)
