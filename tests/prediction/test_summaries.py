"""What is made of posterior samples besides mean and std."""

import weakref
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from denoisplit.core.errors import PluginError
from denoisplit.core.network.frame_part import FramePart
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.latents.box_muller_field import BoxMullerField
from denoisplit.core.prediction.latents.noise_field import FieldNoise
from denoisplit.core.prediction.outputs.posterior import draw_samples, predict
from denoisplit.core.prediction.samples.passes import Draw, Drawn, Passes
from denoisplit.core.prediction.samples.summaries import NoiseVariance, Quantiles, Samples
from denoisplit.core.prediction.tiles.canvas import Canvas
from denoisplit.core.prediction.tiles.plan import plan_planes
from denoisplit.core.prediction.tiles.tiling import Clipped, plan_tiles
from denoisplit.core.spec.records import PredictionSpec
from tests.prediction.networks import MapNoise, ShotNoise, small_vse

Array = np.ndarray[Any, np.dtype[np.float64]]


def image(*shape: int) -> Array:
    return np.random.default_rng(0).normal(120, 30, shape)


def test_the_samples_come_in_their_order() -> None:
    vse, mixed = small_vse(), image(21, 34)
    found = predict(vse, mixed, PredictionSpec(samples=3, seed=4), summaries=[Samples()]).images
    assert list(found) == ["sample 0", "sample 1", "sample 2"]
    np.testing.assert_array_equal(
        np.stack(list(found.values())), draw_samples(vse, mixed, PredictionSpec(samples=3, seed=4))
    )


def test_of_seven_samples_the_second_smallest_is_the_lower_quartile() -> None:
    """k / (n + 1) = 2 / 8; half-way to the third, it is 2.5 / 8."""
    vse, mixed = small_vse(), image(20, 12)
    found = predict(
        vse, mixed, PredictionSpec(samples=7, seed=1), summaries=[Quantiles((0.25, 0.3125, 0.5))]
    ).images
    ordered = np.sort(draw_samples(vse, mixed, PredictionSpec(samples=7, seed=1)), axis=0)
    np.testing.assert_allclose(found["quantile 0.25"], ordered[1], rtol=1e-12)
    np.testing.assert_allclose(found["quantile 0.3125"], (ordered[1] + ordered[2]) / 2, rtol=1e-12)
    np.testing.assert_allclose(found["quantile 0.5"], ordered[3], rtol=1e-12)


@pytest.mark.parametrize("count", [19, 27])
def test_a_further_sample_lies_within_an_interval_as_often_as_it_says(count: int) -> None:
    """For a distribution that is far from a Gaussian, too: 200000 pixels, 4 standard errors."""
    vse, rng = small_vse(), np.random.default_rng(0)
    (tile,) = plan_tiles(
        (400, 500), tile=(400, 500), around=Clipped(halo=(0, 0), stride=(1, 1), canvas=(400, 500))
    )
    how = PredictionSpec(samples=count)
    plan = plan_planes(vse, (400, 500), how)
    mixed = np.zeros((400, 500), np.float32)
    passes = Passes(vse=vse, plan=plan, number=0, canvas=Canvas.of(mixed, vse))
    collector = Quantiles((0.05, 0.95)).begin(passes, tile)
    for _ in range(count):
        signals = torch.from_numpy(rng.exponential(size=(1, 1, 400, 500)))
        collector.add(Draw(Drawn(torch.empty(0), signals), 0, vse, FramePart.whole((400, 500))))
    low, high = collector.finish({}).images.values()
    further = rng.exponential(size=low.shape)
    # Between order statistics, the line overshoots a convex quantile function a little: not for 19 samples.
    slack = 4 * np.sqrt(0.9 * 0.1 / further.size) + (0.005 if count != 19 else 0)
    assert abs(np.mean((low <= further) & (further <= high)) - 0.9) < slack


def test_noise_that_grows_with_the_signal_has_the_variance_of_the_mean() -> None:
    """The mean of a straight line over the samples is the line at their mean."""
    vse, mixed = small_vse(noise_model=ShotNoise()), image(20, 28)
    found = predict(vse, mixed, PredictionSpec(samples=5, seed=2), summaries=[NoiseVariance()])
    expected = ShotNoise.gain * (found.mean - ShotNoise.offset)
    np.testing.assert_allclose(found.images["noise variance"], expected, rtol=1e-10)


def test_a_predicted_noise_variance_is_averaged_over_the_samples() -> None:
    vse, mixed = small_vse(noise_model=MapNoise()), image(16, 32)
    noise = FieldNoise(BoxMullerField(9), range(4), [(0, 0)] * 4, vse.level_strides)
    with torch.inference_mode():
        maps = vse.decode(torch.from_numpy(mixed)[None, None].expand(4, 1, 16, 32), noise).output
    assert maps.shape[1] == 4
    expected = maps[:, 2:].exp().mean(0).numpy()
    found = predict(vse, mixed, PredictionSpec(samples=4, seed=9), summaries=[NoiseVariance()])
    np.testing.assert_allclose(found.images["noise variance"], expected, rtol=1e-9)
    tiled = predict(
        vse, image(150, 20), PredictionSpec(samples=2, seed=9, tile=48), summaries=[NoiseVariance()]
    )
    whole = predict(
        vse, image(150, 20), PredictionSpec(samples=2, seed=9, tile=152), summaries=[NoiseVariance()]
    )
    np.testing.assert_allclose(tiled.images["noise variance"], whole.images["noise variance"], rtol=1e-9)


def test_a_noise_model_that_averages_over_the_image_is_not_asked_about_tiles() -> None:
    vse, mixed = small_vse(noise_model=MapNoise(averaged=True)), image(60, 20)
    found = predict(vse, mixed, PredictionSpec(samples=2, seed=0), summaries=[NoiseVariance()]).images[
        "noise variance"
    ]
    assert np.ptp(found[0]) == pytest.approx(0)
    with pytest.raises(
        PluginError, match=r"total_std: the noise model averages over the image, .* \(got 3\)"
    ):
        predict(
            vse, mixed, PredictionSpec(samples=2, seed=0, tile=20), halo=(8, 8), summaries=[NoiseVariance()]
        )


def most_alive(vse: VSE, monkeypatch: pytest.MonkeyPatch, samples: int, summaries: list[Samples]) -> int:
    """Decoded samples in memory at the same time."""
    alive: list[weakref.ref[Tensor]] = []
    counts = []
    decode = vse.decoder.sample

    def sample(features: tuple[Tensor, ...], noise: FieldNoise) -> Tensor:
        counts.append(sum(one() is not None for one in alive))
        signal: Tensor = decode(features, noise)
        alive.append(weakref.ref(signal))
        return signal

    monkeypatch.setattr(vse.decoder, "sample", sample)
    predict(vse, image(40, 40), PredictionSpec(samples=samples, seed=0, tile=40), summaries=summaries)
    return max(counts)


def test_samples_pass_by_unless_they_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    few, many = (most_alive(small_vse(), monkeypatch, n, []) for n in (4, 30))
    assert few == many <= 2
    assert Quantiles((0.5,)).held(30) == Samples().held(30) == 60, "all of them, and a copy"
    assert NoiseVariance().held(30) == 0


def test_the_memory_for_mean_and_std_does_not_grow_with_the_samples() -> None:
    import tracemalloc

    vse, mixed = small_vse(), image(64, 64)
    predict(vse, mixed, PredictionSpec(samples=2, seed=0))

    def peak(samples: int, *summaries: Samples) -> int:
        tracemalloc.start()
        predict(vse, mixed, PredictionSpec(samples=samples, seed=0), summaries=summaries)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    few, many = peak(3), peak(40)
    one = 2 * mixed.nbytes  # a sample of two channels
    assert many < few + one / 2
    assert peak(40, Samples()) > few + 30 * one
