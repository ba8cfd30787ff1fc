"""Small complete networks: random weights and batch norm statistics, float64, no dropout."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from denoisplit.core.network.interfaces import IntensityStats, KLScheme, NoiseModel
from denoisplit.core.network.noise_source import FixedNoise
from denoisplit.core.network.vse import VSE
from denoisplit.plugins.decoders.ladder import LadderDecoder
from denoisplit.plugins.encoders.ladder import LadderEncoder
from denoisplit.plugins.kl_schemes.denoisplit import DenoiSplitKL
from denoisplit.plugins.noise_models.gaussian import Gaussian
from denoisplit.plugins.noise_models.gaussian_mixture import GaussianMixture

LATENT = 2
NoiseModelMaker = Callable[[IntensityStats], NoiseModel]


def statistics(channels: int) -> IntensityStats:
    return IntensityStats(
        mixed_mean=330.0,
        mixed_std=70.0,
        target_mean=[300.0 + 50 * c for c in range(channels)],
        target_std=[60.0 + 15 * c for c in range(channels)],
    )


def gaussian(given: IntensityStats) -> NoiseModel:
    return Gaussian(Gaussian.Options(), statistics=given)


def mixture(given: IntensityStats) -> NoiseModel:
    """Another random mixture for every channel."""
    generator = torch.Generator().manual_seed(1)
    weights = 0.5 * torch.randn(given.channels, 3, 2, 2, generator=generator, dtype=torch.float64)
    weights[:, 0] *= 30
    weights[:, 1] += 6
    model = GaussianMixture(GaussianMixture.Options(), statistics=given).double()
    model.load_state_dict(
        {
            "weights": weights,
            "signal_range": torch.tensor([[100.0, 900.0 + 50 * c] for c in range(given.channels)]),
            "variance_floor": torch.tensor([[9.0 + c, 0.0] for c in range(given.channels)]),
        }
    )
    return model


def network(
    *,
    levels: int = 2,
    channels: int = 2,
    rank: int = 2,
    binning: int = 1,
    noise_model: NoiseModelMaker = gaussian,
    kl_scheme: KLScheme | None = None,
) -> VSE:
    """A ladder network in evaluation mode; a batch of the smallest patch is two positions wide at the top."""
    given = statistics(channels)
    model = noise_model(given)
    encoder = LadderEncoder(
        LadderEncoder.Options(levels=levels, width=4, dropout=0.0, binning=binning),
        spatial_rank=rank,
        in_channels=1,
    )
    decoder = LadderDecoder(
        LadderDecoder.Options(latent_channels=LATENT, dropout=0.0),
        feature_shapes=encoder.feature_shapes,
        out_maps=channels * (1 + model.extra_maps),
        patch=(binning * 2 ** (levels + 1),) * rank,
    )
    vse = VSE(
        encoder=encoder,
        decoder=decoder,
        noise_model=model,
        kl_scheme=kl_scheme or DenoiSplitKL(DenoiSplitKL.Options(free_bits=0.0)),
        statistics=given,
        spatial_rank=rank,
    ).double()
    for module in vse.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
            nn.init.normal_(module.bias, 0, 0.3)
    for name, parameter in vse.named_parameters():
        if name.endswith(".prior"):
            nn.init.normal_(parameter, 0, 0.3)
    return vse.eval()


def counts(vse: VSE, size: Sequence[int], *, batch: int = 1, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Mixed image [b 1 (z) y x] and targets [b c (z) y x] with the statistics that the network expects."""
    generator = torch.Generator().manual_seed(seed)
    normalised = torch.randn(batch, vse.channels, *size, generator=generator, dtype=torch.float64)
    targets = vse.statistics.to_counts(normalised)
    return targets.mean(1, keepdim=True), targets


def draws(vse: VSE, size: Sequence[int], *, batch: int = 1, seed: int = 0) -> list[Tensor]:
    """Standard normal numbers for every level of an image, finest first."""
    generator = torch.Generator().manual_seed(seed)
    canvas = [math.ceil(n / s) * s for n, s in zip(size, vse.stride, strict=True)]
    shapes = [[n // s for n, s in zip(canvas, stride, strict=True)] for stride in vse.level_strides]
    return [torch.randn(batch, LATENT, *shape, generator=generator, dtype=torch.float64) for shape in shapes]


def fixed(vse: VSE, size: Sequence[int], *, batch: int = 1, seed: int = 0) -> FixedNoise:
    return FixedNoise(draws(vse, size, batch=batch, seed=seed))
