"""Dropout of whole channels, drawn for every patch by itself."""

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
    """Channels of a map [b c (z) y x] become zero with probability ``p``; others are divided by 1 - p.

    In training under ``dropping``, what becomes zero belongs to (seed, step, number in the batch, layer,
    channel). Elsewhere the global generator of torch is drawn from, as ``Dropout2d`` and ``Dropout3d`` do.

    Args:
        channels: of the maps.
        p: probability, 0 to below 1.
        inplace: change the map itself.
    """

    def __init__(self, channels: int, p: float, *, inplace: bool = False) -> None:
        super().__init__(p, inplace)
        self.channels = channels
        self.words: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as ``x``."""
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
    """Let all ``ChannelDropout`` of a network drop what belongs to a step and these rows of its batch.

    Args:
        network: with or without such layers.
        seed: of the training.
        step: which.
        rows: numbers in the batch.
        device: where the network is.
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
