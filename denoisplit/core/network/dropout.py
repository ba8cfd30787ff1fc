"""Dropout of whole channels, drawn separately for every patch."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, final

import torch
from torch import Tensor, nn

from denoisplit.core.network.normals import words
from denoisplit.core.network.philox import WORDS, Purpose, Streams

_HALF: Final = 1 << 31


@final
class ChannelDropout(nn.modules.dropout._DropoutNd):
    """Sets channels of a map [b c (z) y x] to zero with probability ``p``; divides the others by 1 - p.

    In training under ``dropping``, the dropped channels are a function of (seed, step, number in the batch,
    layer, channel). Otherwise they are drawn from torch's global generator, as in ``Dropout2d`` and
    ``Dropout3d``.

    Args:
        channels: number of channels of the maps.
        p: probability, 0 to below 1.
        inplace: whether to change the map itself.
    """

    def __init__(self, channels: int, p: float, *, inplace: bool = False) -> None:
        super().__init__(p, inplace)
        self.channels = channels
        self.words: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Drop channels; the shape stays."""
        if not self.training or self.p == 0:
            return x
        if self.words is None:
            return (torch.feature_dropout_ if self.inplace else torch.feature_dropout)(x, self.p, True)
        kept = self.words >= int(self.p * 2 * _HALF) - _HALF
        factor = kept.to(x.dtype).mul_(1 / (1 - self.p)).view(*kept.shape, *[1] * (x.ndim - 2))
        return x.mul_(factor) if self.inplace else x * factor


@contextmanager
def dropping(
    network: nn.Module, *, seed: int, step: int, rows: range, device: torch.device
) -> Iterator[None]:
    """Context in which all ``ChannelDropout`` of a network drop channels by step and row of the batch.

    Args:
        network: any network, with or without such layers.
        seed: seed of the training.
        step: number of the step.
        rows: numbers in the batch.
        device: device of the network.
    """
    layers = [one for one in network.modules() if isinstance(one, ChannelDropout)] if network.training else []
    channels = [one.channels for one in layers]
    streams = Streams(seed=seed, purpose=Purpose.DROPOUT, numbers=range(step, step + 1), y=rows)
    if layers:
        drawn = words(streams, -(-sum(channels) // WORDS), device)[0, 0, :, 0, : sum(channels)]
        for layer, part in zip(layers, torch.split(drawn, channels, dim=1), strict=True):
            layer.words = part
    try:
        yield
    finally:
        for layer in layers:
            layer.words = None
