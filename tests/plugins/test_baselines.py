"""Networks without latents: the deterministic ladder and the U-Net."""

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from benchmarks.inputs import in_units_of
from denoisplit.core.errors import SpecError
from denoisplit.core.network.interfaces import Decoder, FeatureShape
from denoisplit.core.network.noise_source import ZeroNoise
from denoisplit.core.prediction.outputs.posterior import predict
from denoisplit.core.spec.records import PredictionSpec
from denoisplit.plugins.decoders.deterministic_ladder import DeterministicLadderDecoder
from denoisplit.plugins.decoders.ladder import LadderDecoder
from denoisplit.plugins.decoders.unet import UNetDecoder
from denoisplit.plugins.encoders.ladder import LadderEncoder
from denoisplit.plugins.encoders.unet import UNetEncoder
from denoisplit.plugins.noise_models.gaussian import Gaussian
from tests.network.small import LATENT, PartsMaker, counts, ladder, network
from tests.network.variants import deterministic, hdn, lateral, unet, without_chance


@pytest.mark.parametrize(
    ("parts", "blocks"),
    [
        (partial(ladder, levels=1), 1),
        (partial(ladder, levels=2), 1),
        (partial(ladder, levels=5), 1),
        (partial(lateral, levels=3, input_scales=3), 1),
        (hdn, 2),
    ],
    ids=["one level", "two levels", "five levels", "lateral context", "two blocks"],
)
def test_the_deterministic_ladder_is_the_ladder_without_noise(parts: PartsMaker, blocks: int) -> None:
    vse = network(parts=parts)
    assert isinstance(vse.decoder, LadderDecoder)
    decoder = DeterministicLadderDecoder(
        DeterministicLadderDecoder.Options(latent_channels=LATENT, dropout=0.0, blocks=blocks),
        feature_shapes=vse.encoder.feature_shapes,
        out_maps=4,
        patch=(64, 64),
    )
    decoder.double().eval().load_state_dict(without_chance(vse.decoder))
    mixed, _ = counts(vse, (64, 32))
    with torch.no_grad():
        features = vse.encode(mixed)
        expected = vse.decoder.sample(features, ZeroNoise())
        torch.testing.assert_close(decoder.sample(features, ZeroNoise()), expected)


def test_the_deterministic_ladder_has_no_priors() -> None:
    _, decoder = deterministic(2, 2)
    assert not [name for name, _ in decoder.named_parameters() if "prior" in name]


def test_training_a_unet_with_fixed_noise_minimises_the_squared_error() -> None:
    fixed = Gaussian.Options(log_variance="fixed")
    vse = network(parts=unet, noise_model=lambda given: Gaussian(fixed, statistics=given))
    mixed, targets = counts(vse, (8, 8), batch=3)
    terms = vse.loss(mixed, targets, ZeroNoise(), kl_weight=1.0)
    output = vse.decode(mixed, ZeroNoise()).output
    error = functional.mse_loss(output, in_units_of(vse.statistics, targets))
    parameters = list(vse.parameters())
    for one, two in zip(
        torch.autograd.grad(terms.total, parameters), torch.autograd.grad(error / 2, parameters), strict=True
    ):
        torch.testing.assert_close(one, two)


def test_a_unet_predicts_the_same_in_tiles() -> None:
    vse = network(parts=unet)
    mixed = np.random.default_rng(0).normal(330, 70, (150, 90))
    whole = predict(vse, mixed, PredictionSpec(samples=1, seed=0, tile=200)).mean
    tiled = predict(vse, mixed, PredictionSpec(samples=1, seed=0, tile=40)).mean
    np.testing.assert_allclose(tiled, whole, rtol=1e-10)


def test_aligned_corners_make_a_unet_depend_on_the_size() -> None:
    """Why they are off unless asked for."""
    image = torch.randn(1, 1, 128, 128, dtype=torch.float64)
    changes = {}
    for aligned in (False, True):
        vse = network(parts=partial(unet, align_corners=aligned))
        with torch.no_grad():
            whole = vse.decode(330 + 70 * image, ZeroNoise()).output
            part = vse.decode(330 + 70 * image[..., :96, :96], ZeroNoise()).output
        changes[aligned] = float((whole[..., :32, :32] - part[..., :32, :32]).abs().max())
    assert changes[False] < 1e-10
    assert changes[True] > 1e-6


def test_a_unet_decoder_needs_features_at_full_size() -> None:
    encoder = LadderEncoder(LadderEncoder.Options(levels=2, width=2), spatial_rank=2, in_channels=1)
    with pytest.raises(SpecError, match=r"decoder unet needs .*\[\[2, 2\], \[4, 4\]\]\)\. Use the"):
        UNetDecoder(UNetDecoder.Options(), feature_shapes=encoder.feature_shapes, out_maps=2, patch=(8, 8))


def test_and_of_one_coarser_level_at_least() -> None:
    shapes = small_unet(pools=1).feature_shapes
    UNetDecoder(UNetDecoder.Options(), feature_shapes=shapes, out_maps=2, patch=(8, 8))
    with pytest.raises(SpecError, match="of at least one coarser level"):
        UNetDecoder(UNetDecoder.Options(), feature_shapes=shapes[:1], out_maps=2, patch=(8, 8))


def small_unet(pools: int = 3) -> UNetEncoder:
    return UNetEncoder(UNetEncoder.Options(pools=pools, width=2), spatial_rank=2, in_channels=1)


def test_a_ladder_decoder_needs_features_of_one_width() -> None:
    with pytest.raises(SpecError, match=r"same number of feature channels .*\(got \[2, 4, 8\]\)"):
        of_ladder(LadderDecoder, small_unet().feature_shapes)


@pytest.mark.parametrize("make", [LadderDecoder, DeterministicLadderDecoder])
@pytest.mark.parametrize("width", [3, (5, 3, 4, 6)])
def test_or_a_width_of_its_own(make: Any, width: int | tuple[int, ...]) -> None:
    encoder = small_unet()
    decoder = of_ladder(make, encoder.feature_shapes, width=width)
    decoded = decoder(encoder(torch.zeros(1, 1, 16, 24)), ZeroNoise())
    assert decoded.output.shape == (1, 2, 16, 24)
    assert all(level.sample.shape[2:] == (16 >> n, 24 >> n) for n, level in enumerate(decoded.levels))


def test_a_width_that_the_features_have_changes_nothing() -> None:
    shapes = LadderEncoder(LadderEncoder.Options(levels=2, width=4), spatial_rank=2, in_channels=1)
    torch.manual_seed(0)
    left_out = of_ladder(LadderDecoder, shapes.feature_shapes).state_dict()
    torch.manual_seed(0)
    given = of_ladder(LadderDecoder, shapes.feature_shapes, width=(4, 4)).state_dict()
    assert left_out.keys() == given.keys()
    assert all(torch.equal(value, given[name]) for name, value in left_out.items())


def of_ladder(make: Any, shapes: tuple[FeatureShape, ...], **options: Any) -> Decoder:
    given = make.Options(latent_channels=2, **options)
    decoder: Decoder = make(given, feature_shapes=shapes, out_maps=2, patch=(16, 16))
    return decoder
