"""Posterior moments and samples of whole images."""

from typing import Any, Literal

import numpy as np
import pytest
import torch

from denoisplit.core.errors import DenoisplitError, PluginError, SpecError
from denoisplit.core.prediction.latents.box_muller_field import BoxMullerField
from denoisplit.core.prediction.latents.noise_field import FieldNoise, NoiseField
from denoisplit.core.prediction.latents.ziggurat_field import ZigguratField
from denoisplit.core.prediction.outputs.posterior import draw_samples, predict
from denoisplit.core.prediction.request import Request
from denoisplit.core.prediction.tiles import plan
from denoisplit.core.prediction.tiles.memory import bytes_per_pixel
from denoisplit.core.spec.records import PredictionSpec
from tests.network.small import network
from tests.network.variants import projecting
from tests.prediction.networks import small_vse


def image(*shape: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.random.default_rng(0).normal(120, 30, shape)


def test_moments_are_those_of_the_samples() -> None:
    vse, mixed = small_vse(), image(21, 34)
    samples = draw_samples(vse, mixed, PredictionSpec(samples=7, seed=3))
    result = predict(vse, mixed, PredictionSpec(samples=7, seed=3), batch=3)
    assert samples.shape == (7, 2, 21, 34)
    assert result.samples == 7
    assert result.std is not None
    np.testing.assert_allclose(result.mean, samples.mean(0), rtol=1e-12)
    np.testing.assert_allclose(result.std, samples.std(0, ddof=1), rtol=1e-8)
    assert result.std.min() > 0


@pytest.mark.parametrize(("name", "field"), [("box_muller", BoxMullerField), ("ziggurat", ZigguratField)])
def test_samples_are_the_network_fed_with_the_noise_field(
    name: Literal["box_muller", "ziggurat"], field: type[NoiseField]
) -> None:
    """An image whose sides are multiples of the stride needs neither padding nor tiles."""
    vse, mixed = small_vse(), image(16, 32)
    noise = FieldNoise(field(9), [5, 6], [(0, 0)] * 2, vse.level_strides)
    with torch.inference_mode():
        decoded = vse.decode(torch.from_numpy(mixed)[None, None].expand(2, 1, 16, 32), noise)
    expected = vse.statistics.to_counts(decoded.output).numpy()
    how = PredictionSpec(samples=2, seed=9, noise=name)
    np.testing.assert_allclose(draw_samples(vse, mixed, how, first=5), expected, rtol=1e-12)


def test_what_is_asked_for_leaves_the_noise_of_a_run_as_it_is() -> None:
    for noise in ("box_muller", "ziggurat"):
        how = Request(seed=4, tile=64).settled(PredictionSpec(noise=noise), 3)
        assert how == PredictionSpec(samples=3, seed=4, tile=64, noise=noise)


def test_seeds_differ_and_repeat() -> None:
    vse, mixed = small_vse(), image(16, 16)
    one, again, other = (predict(vse, mixed, PredictionSpec(samples=2, seed=s)).mean for s in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 1e-3


def test_integer_images_are_counts() -> None:
    vse = small_vse()
    counts = image(16, 16).round()
    result = predict(vse, counts.astype(np.uint16), PredictionSpec(samples=1, seed=0))
    np.testing.assert_array_equal(result.mean, predict(vse, counts, PredictionSpec(samples=1, seed=0)).mean)
    assert result.std is None


def test_the_encoder_runs_once_per_tile(monkeypatch: pytest.MonkeyPatch) -> None:
    vse = small_vse()
    calls = []
    vse.encoder.register_forward_hook(lambda *_: calls.append(1))
    monkeypatch.setattr(plan, "bytes_per_pixel", lambda *_: 1.0)
    predict(vse, image(60, 20), PredictionSpec(samples=6, seed=0, tile=20), batch=2, halo=(8, 8))
    assert len(calls) == 3


def test_little_memory_means_tiles_and_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    vse, mixed = small_vse(), image(200, 50)
    whole = predict(vse, mixed, PredictionSpec(samples=2, seed=0))
    ticks: list[tuple[int, int]] = []
    budget = int(bytes_per_pixel(vse) * 160 * 52)
    monkeypatch.setattr(plan, "memory_budget", lambda _: budget)
    tiled = predict(
        vse,
        mixed,
        PredictionSpec(samples=2, seed=0),
        progress=lambda done, total: ticks.append((done, total)),
    )
    np.testing.assert_allclose(tiled.mean, whole.mean, rtol=1e-10)
    total = ticks[-1][1]
    assert total > 2
    assert ticks == [(n + 1, total) for n in range(total)]


def test_prediction_in_the_middle_of_training_leaves_no_trace() -> None:
    vse, mixed = small_vse(), image(16, 16)
    expected = predict(vse, mixed, PredictionSpec(samples=2, seed=0)).mean
    vse.train()
    vse.encoder.eval()
    state = {name: value.clone() for name, value in vse.state_dict().items()}
    generator = torch.get_rng_state()
    np.testing.assert_array_equal(predict(vse, mixed, PredictionSpec(samples=2, seed=0)).mean, expected)
    assert vse.decoder.training
    assert not vse.encoder.training
    assert all(torch.equal(value, state[name]) for name, value in vse.state_dict().items())
    assert torch.equal(torch.get_rng_state(), generator)


@pytest.mark.parametrize("shape", [(5,), (1, 16, 16), (0, 16)])
def test_images_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DenoisplitError, match="2 spatial axes"):
        predict(small_vse(), np.zeros(shape), PredictionSpec(samples=1, seed=0))


def test_a_network_that_makes_one_plane_of_a_stack_does_not_predict() -> None:
    vse = network(rank=3, parts=projecting)
    with pytest.raises(PluginError, match="makes one plane of a stack, and predictions have all planes"):
        predict(vse, image(8, 8, 8), PredictionSpec(samples=2))


@pytest.mark.parametrize(
    ("name", "samples", "seed", "tile"),
    [("samples", 0, 0, 0), ("seed", 2, -1, 0), ("seed", 2, 2**63, 0), ("tile", 2, 0, -1)],
)
def test_numbers_out_of_range_are_refused(name: str, samples: int, seed: int, tile: int) -> None:
    with pytest.raises(SpecError, match=rf"prediction\.{name}: .* \(got .*\)\. Use "):
        Request(seed=seed, tile=tile).settled(PredictionSpec(), samples)


def test_reduced_precision_stays_close() -> None:
    vse, mixed = small_vse(width=8).float(), image(32, 32)
    exact = predict(vse, mixed, PredictionSpec(samples=3, seed=0))
    vse.network_dtype = torch.bfloat16
    fast = predict(vse, mixed, PredictionSpec(samples=3, seed=0))
    assert fast.mean.dtype == np.float32
    assert 0 < np.abs(fast.mean - exact.mean).max() < 0.05 * np.ptp(exact.mean)
