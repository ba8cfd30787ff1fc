"""Small real networks with random weights and random batch norm statistics."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from denoisplit.core.network.interfaces import (
    Encoder,
    FitReport,
    IntensityStats,
    KLScheme,
    NoiseModel,
    NoisePairs,
    Rate,
)
from denoisplit.core.network.latent import Level
from denoisplit.core.network.vse import VSE
from denoisplit.plugins.decoders.ladder import LadderDecoder
from denoisplit.plugins.encoders.ladder import LadderEncoder
from denoisplit.plugins.encoders.lateral_context import LateralContextEncoder


class NoNoise(NoiseModel):
    """Prediction never asks a noise model."""

    def log_prob(self, observation: Tensor, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        raise NotImplementedError

    def sample(self, signal: Tensor, generator: torch.Generator, extra: Tensor | None = None) -> Tensor:
        raise NotImplementedError

    def variance(self, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        raise NotImplementedError

    @property
    def needs_fit(self) -> bool:
        return False

    def fit(self, pairs: Sequence[NoisePairs], *, seed: int) -> tuple[FitReport, ...]:
        raise NotImplementedError


class ShotNoise(NoNoise):
    """The variance of an observation is a multiple of its signal above an offset."""

    gain, offset = 3.0, -500.0

    def variance(self, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        return self.gain * (signal - self.offset)


class MapNoise(NoNoise):
    """The network gives the variance, exp of a map; averaged over the image if so chosen."""

    extra_maps = 1

    def __init__(self, *, averaged: bool = False) -> None:
        super().__init__()
        self.averaged = averaged

    def variance(self, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        assert extra is not None
        variance = extra.exp()
        if self.averaged:
            variance = variance.mean(tuple(range(2, variance.ndim)), keepdim=True)
        return variance.expand_as(signal)


class NoRate(KLScheme):
    """Prediction never asks a KL scheme."""

    def forward(self, levels: tuple[Level, ...], *, image_pixels: int, channels: int) -> Rate:
        raise NotImplementedError


def small_vse(
    *,
    levels: int = 2,
    width: int = 4,
    latent: int = 3,
    channels: int = 2,
    rank: int = 2,
    binning: int = 1,
    seed: int = 0,
    context: Mapping[str, Any] | None = None,
    noise_model: NoiseModel | None = None,
) -> VSE:
    """A ladder network in float64 and evaluation mode that does not behave like a freshly initialised one.

    ``context`` holds the options of lateral context, if it has any. A noise model may predict its parameters.
    """
    torch.manual_seed(seed)
    statistics = IntensityStats(
        mixed_mean=120.0,
        mixed_std=30.0,
        target_mean=tuple(100.0 + 10 * c for c in range(channels)),
        target_std=tuple(20.0 + c for c in range(channels)),
    )
    encoder: Encoder
    if context is None:
        plain = LadderEncoder.Options(levels=levels, width=width, binning=binning)
        encoder = LadderEncoder(plain, spatial_rank=rank, in_channels=1)
    else:
        lateral = LateralContextEncoder.Options(levels=levels, width=width, **context)
        encoder = LateralContextEncoder(lateral, spatial_rank=rank, in_channels=1)
    decoder = LadderDecoder(
        LadderDecoder.Options(latent_channels=latent),
        feature_shapes=encoder.feature_shapes,
        out_maps=channels * (1 + (noise_model.extra_maps if noise_model else 0)),
        patch=(binning * 2 ** (levels + 1),) * rank,
    )
    vse = VSE(
        encoder=encoder,
        decoder=decoder,
        noise_model=NoNoise() if noise_model is None else noise_model,
        kl_scheme=NoRate(),
        statistics=statistics,
        spatial_rank=rank,
    ).double()
    for module in vse.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
            nn.init.normal_(module.bias, 0, 0.3)
    return vse.eval()
