"""Evidence: the sample that prediction draws first, its noise and its latents."""

import math

import numpy as np
import pytest
import torch

from denoisplit.core.network.latent import level_sums
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.latents.box_muller_field import BoxMullerField
from denoisplit.core.prediction.latents.noise_field import FieldNoise
from denoisplit.core.prediction.outputs.evidence import gather_evidence
from denoisplit.core.prediction.outputs.posterior import draw_samples
from denoisplit.core.spec.records import PredictionSpec
from tests.network.small import mixture, network
from tests.network.variants import variant


def image(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.random.default_rng(0).normal(330, 70, shape)


@pytest.mark.parametrize("size", [(16, 32), (21, 34), (3, 5)])
def test_the_draw_is_the_first_sample_of_a_prediction(size: tuple[int, int]) -> None:
    vse, mixed = network(noise_model=mixture), image(*size)
    found = gather_evidence(vse, mixed, PredictionSpec(seed=3))
    np.testing.assert_allclose(
        found.draw, draw_samples(vse, mixed, PredictionSpec(samples=1, seed=3))[0], rtol=1e-12
    )
    expected = vse.noise_model.variance(torch.from_numpy(found.draw)[None])[0]
    np.testing.assert_allclose(found.variance, expected.detach(), rtol=1e-12)
    assert [rate.shape for rate in found.rates] == [size] * 2


@pytest.mark.parametrize("rank", [2, 3])
def test_noise_and_rates_are_those_of_the_training_path(rank: int) -> None:
    """With a noise model whose variance is an output of the network."""
    size = (8, 16, 8)[-rank:]
    vse, mixed = network(rank=rank), image(*size)
    noise = FieldNoise(BoxMullerField(9), [0], [(0,) * rank], vse.level_strides)
    with torch.inference_mode():
        decoded = vse.decode(torch.from_numpy(mixed)[None, None], noise)
        signal = vse.statistics.to_counts(decoded.output[:, :2])
        variance = vse.noise_model.variance(signal, decoded.output[:, 2:])[0]
    found = gather_evidence(vse, mixed, PredictionSpec(seed=9))
    np.testing.assert_allclose(found.draw, signal[0], rtol=1e-10)
    np.testing.assert_allclose(found.variance, variance, rtol=1e-10)
    nats = level_sums(decoded.levels, analytic=True)[0]
    np.testing.assert_allclose([rate.sum() for rate in found.rates], nats, rtol=1e-10)
    for rate, stride in zip(found.rates, vse.level_strides, strict=True):
        first = rate[tuple(slice(0, s) for s in stride)]
        assert first.size == math.prod(stride)
        assert np.ptp(first) == 0


def flatten_prior(vse: VSE) -> None:
    """A prior that is the same everywhere; otherwise it would be repeated from the corner of the tile."""
    for name, parameter in vse.named_parameters():
        if name.endswith(".prior"):
            parameter.data.zero_()


def test_tiles_do_not_show() -> None:
    vse, mixed = network(noise_model=mixture), image(150, 41)
    flatten_prior(vse)
    whole, tiled = (gather_evidence(vse, mixed, PredictionSpec(seed=1, tile=tile)) for tile in (200, 16))
    np.testing.assert_allclose(tiled.draw, whole.draw, rtol=1e-10)
    np.testing.assert_allclose(tiled.variance, whole.variance, rtol=1e-10)
    for one, other in zip(tiled.rates, whole.rates, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-8)


@pytest.mark.parametrize("name", ["regular", "lean", "deep"])
def test_latents_that_cover_the_surround_count_where_the_image_is(name: str) -> None:
    vse, mixed = variant((name, 2)), image(190, 13)
    flatten_prior(vse)
    whole, tiled = (gather_evidence(vse, mixed, PredictionSpec(seed=1, tile=tile)) for tile in (1024, 60))
    np.testing.assert_allclose(
        whole.draw, draw_samples(vse, mixed, PredictionSpec(samples=1, seed=1))[0], rtol=1e-10
    )
    np.testing.assert_allclose(tiled.draw, whole.draw, rtol=1e-8)
    for one, other in zip(tiled.rates, whole.rates, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


@pytest.mark.parametrize("name", ["deterministic", "unet"])
def test_a_network_without_latents_has_no_rates(name: str) -> None:
    found = gather_evidence(variant((name, 2)), image(16, 16), PredictionSpec(seed=0))
    assert found.rates == ()
    assert np.isfinite(found.draw).all()
    assert (found.variance > 0).all()
