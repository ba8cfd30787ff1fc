"""Rules of the ladder that show in training or at its start only."""

import pytest
import torch
from torch import nn

from denoisplit.core.network.noise_source import ZeroNoise
from denoisplit.plugins.blocks import Gate, ResidualBlock
from denoisplit.plugins.decoders.ladder import LadderDecoder
from denoisplit.plugins.decoders.ladder_level import InnerLevel, TopLevel
from denoisplit.plugins.encoders.ladder import LadderEncoder


def ladder(
    levels: int, *, normalise: bool = True, blocks: int = 1, patch: tuple[int, ...] = ()
) -> tuple[LadderEncoder, LadderDecoder]:
    encoder = LadderEncoder(
        LadderEncoder.Options(levels=levels, width=2, blocks=blocks), spatial_rank=2, in_channels=1
    )
    decoder = LadderDecoder(
        LadderDecoder.Options(latent_channels=3, normalise_latents=normalise, blocks=blocks),
        feature_shapes=encoder.feature_shapes,
        out_maps=2,
        patch=patch or (2 ** (levels + 1), 2 ** (levels + 2)),
    )
    return encoder, decoder


def test_the_top_prior_is_a_map_of_zeros_that_learns() -> None:
    """Method section 1.5: means and raw log-variances per position, so at first mean 0 and variance 1."""
    _, decoder = ladder(3)
    top = decoder.levels[-1]
    assert isinstance(top, TopLevel)
    assert top.prior.shape == (1, 2 * 3, 2, 4)
    assert top.prior.requires_grad
    assert not top.prior.any()


def test_the_top_prior_has_a_position_even_if_the_patch_is_smaller_than_its_stride() -> None:
    _, decoder = ladder(3, patch=(4, 8))
    top = decoder.levels[-1]
    assert isinstance(top, TopLevel)
    assert top.prior.shape == (1, 2 * 3, 1, 1)


@pytest.mark.parametrize("levels", [1, 4, 5, 6])
@pytest.mark.parametrize("normalise", [True, False])
def test_posteriors_of_deep_hierarchies_are_scaled(levels: int, normalise: bool) -> None:
    """Method section 1.5: divisor 1 / sqrt(2 (1 + i)) at level i, if there are more than four."""
    _, decoder = ladder(levels, normalise=normalise)
    divisors = []
    for level in decoder.levels:
        assert isinstance(level, TopLevel | InnerLevel)
        divisors.append(level.latent.options.divisor)
    scaled = levels > 4 and normalise
    assert divisors == pytest.approx([(2 * (1 + i)) ** -0.5 if scaled else 1.0 for i in range(levels)])


def test_only_the_first_block_of_a_level_changes_its_size() -> None:
    """Method section 1.1: resampling first, then blocks of one size."""
    encoder, decoder = ladder(2, blocks=3)
    image = torch.zeros(1, 1, 16, 16)
    x = encoder.stem(image)
    for level in encoder.levels:
        assert isinstance(level, nn.Sequential)
        halved = level[0](x)
        assert halved.shape[2:] == tuple(side // 2 for side in x.shape[2:])
        x = level(x)
        assert x.shape == halved.shape
    for level in decoder.levels:
        assert isinstance(level, TopLevel | InnerLevel)
        assert level.upsample[0](x).shape == level.upsample(x).shape


@pytest.mark.parametrize("rank", [2, 3])
def test_dropout_takes_whole_channels_after_each_convolution(rank: int) -> None:
    """Method section 1.1: batch norm, activation, convolution, dropout; twice."""
    block = ResidualBlock(rank, 64, dropout=0.5, gated=False)
    kinds = [type(layer).__name__.removesuffix(f"{rank}d") for layer in block.layers]
    assert kinds == ["BatchNorm", "ELU", "Conv", "ChannelDropout"] * 2
    x = torch.randn(1, 64, *(4,) * rank)
    with torch.no_grad():
        residual = (block.train()(x) - x).flatten(2)
    dropped = (residual.abs() < 1e-6).all(2)
    assert torch.equal(dropped, (residual.abs() < 1e-6).any(2))
    assert 10 < int(dropped.sum()) < 54


def test_a_gate_comes_last() -> None:
    """Method section 1.1: after the second dropout, a convolution to twice the channels."""
    *_, gate = ResidualBlock(2, 6, dropout=0.0, gated=True).layers
    assert isinstance(gate, Gate)
    x = torch.randn(2, 6, 3, 3)
    value, opening = gate.conv(x).chunk(2, dim=1)
    torch.testing.assert_close(gate(x), nn.functional.elu(value) * opening.sigmoid())


def test_a_sample_evaluates_no_prior_and_every_latent_once() -> None:
    encoder, decoder = ladder(3)
    calls: list[str] = []
    for index, level in enumerate(decoder.levels):
        assert isinstance(level, InnerLevel | TopLevel)
        if isinstance(level, InnerLevel):
            level.prior.register_forward_hook(lambda *_, i=index: calls.append(f"prior {i}"))
        level.latent.posterior.register_forward_hook(lambda *_, i=index: calls.append(f"posterior {i}"))
    with torch.inference_mode():
        features = encoder.eval()(torch.zeros(1, 1, 32, 32))
        decoder.eval().sample(features, ZeroNoise())
        assert calls == ["posterior 2", "posterior 1", "posterior 0"]
        decoder(features, ZeroNoise())
    assert calls.count("prior 0") == calls.count("prior 1") == 1
