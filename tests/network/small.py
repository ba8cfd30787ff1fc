"""Small complete networks: random weights and batch norm statistics, float64, no dropout."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from denoisplit.core.network.interfaces import Decoder, Encoder, IntensityStats, KLScheme, NoiseModel
from denoisplit.core.network.vse import VSE
from denoisplit.plugins.decoders.ladder import LadderDecoder
from denoisplit.plugins.encoders.ladder import LadderEncoder
from denoisplit.plugins.kl_schemes.denoisplit import DenoiSplitKL
from denoisplit.plugins.noise_models.gaussian import Gaussian
from denoisplit.plugins.noise_models.gaussian_mixture import GaussianMixture
from tests.network.fixed_noise import FixedNoise

LATENT = 2
PLANES = 3
"""Depth of a stack whose planes become one."""

NoiseModelMaker = Callable[[IntensityStats], NoiseModel]
PartsMaker = Callable[[int, int], tuple[Encoder, Decoder]]
"""Encoder and decoder for a number of spatial axes and of output maps."""


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


def ladder(rank: int, maps: int, *, levels: int = 2, binning: int = 1) -> tuple[Encoder, Decoder]:
    encoder = LadderEncoder(
        LadderEncoder.Options(levels=levels, width=4, dropout=0.0, binning=binning),
        spatial_rank=rank,
        in_channels=1,
    )
    decoder = LadderDecoder(
        LadderDecoder.Options(latent_channels=LATENT, dropout=0.0),
        feature_shapes=encoder.feature_shapes,
        out_maps=maps,
        patch=(binning * 2 ** (levels + 1),) * rank,
    )
    return encoder, decoder


def network(
    *,
    levels: int = 2,
    channels: int = 2,
    rank: int = 2,
    binning: int = 1,
    noise_model: NoiseModelMaker = gaussian,
    kl_scheme: KLScheme | None = None,
    parts: PartsMaker | None = None,
) -> VSE:
    """A network in evaluation mode; without ``parts`` a ladder, two positions wide at the top in training."""
    given = statistics(channels)
    model = noise_model(given)
    maps = channels * (1 + model.extra_maps)
    encoder, decoder = parts(rank, maps) if parts else ladder(rank, maps, levels=levels, binning=binning)
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
    """Mixed image [b scales (z) y x] and targets [b c (z) y x], as the statistics of the network say."""
    generator = torch.Generator().manual_seed(seed)
    normalised = torch.randn(batch, vse.channels, *size, generator=generator, dtype=torch.float64)
    targets = vse.statistics.to_counts(normalised)
    return surrounded(vse, targets.mean(1, keepdim=True), seed=seed), targets


def surrounded(vse: VSE, image: Tensor, *, seed: int = 0) -> Tensor:
    """An image [b 1 (z) y x] with other random planes and other random scales, if the network takes any."""
    generator = torch.Generator().manual_seed(seed + 1)

    def random(shape: Sequence[int]) -> Tensor:
        noise = torch.randn(*shape, generator=generator, dtype=torch.float64)
        return vse.statistics.mixed_mean + vse.statistics.mixed_std * noise

    batch, _, *size = image.shape
    if len(size) < vse.spatial_rank:
        image = torch.cat([image.unsqueeze(2), random((batch, 1, PLANES - 1, *size))], dim=2)
    scales = vse.encoder.input_scales
    return torch.cat([image, random((batch, scales - 1, *image.shape[2:]))], dim=1) if scales > 1 else image


def draws(vse: VSE, size: Sequence[int], *, batch: int = 1, seed: int = 0) -> list[Tensor]:
    """Standard normal numbers for every level of an image, finest first."""
    generator = torch.Generator().manual_seed(seed)
    canvas = tuple(math.ceil(n / m) * m for n, m in zip(size, vse.multiple, strict=True))
    shapes = [shape.size(canvas) for shape in vse.encoder.feature_shapes]
    return [torch.randn(batch, LATENT, *shape, generator=generator, dtype=torch.float64) for shape in shapes]


def fixed(vse: VSE, size: Sequence[int], *, batch: int = 1, seed: int = 0) -> FixedNoise:
    return FixedNoise(draws(vse, size, batch=batch, seed=seed))
