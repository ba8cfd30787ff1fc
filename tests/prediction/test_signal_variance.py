"""Predictions of networks that say of every pixel how far the clean signal may lie from the decoded one."""

from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch import Tensor

from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.outputs.posterior import draw_samples, predict
from denoisplit.core.prediction.samples.summaries import Grain, NoiseVariance, Quantiles
from denoisplit.core.spec.records import PredictionSpec
from tests.prediction.networks import MapNoise, small_vse

NOISE = 9.0
SIZE = 50.0


class Unsure(MapNoise):
    """Noise of one variance, around a signal whose variance the network gives."""

    def signal_variance(self, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        return SIZE * super().variance(signal, extra)

    def variance(self, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        return NOISE + self.signal_variance(signal, extra)


def image(*shape: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.random.default_rng(0).normal(120, 30, shape)


def unsure_and_sure() -> tuple[VSE, VSE]:
    """The same network with the variance and without."""
    return small_vse(noise_model=Unsure()), small_vse(noise_model=MapNoise())


def test_the_std_has_the_spread_of_what_was_decoded_and_the_mean_variance() -> None:
    """The law of total variance; the mean is that of what was decoded, without a draw around it."""
    (unsure, sure), mixed, how = unsure_and_sure(), image(24, 40), PredictionSpec(samples=6, seed=3)
    found = predict(unsure, mixed, how, summaries=[NoiseVariance(), Grain()])
    decoded = predict(sure, mixed, how, summaries=[NoiseVariance()])
    assert found.std is not None
    assert decoded.std is not None
    own = SIZE * decoded.images["noise variance"]
    np.testing.assert_array_equal(found.mean, decoded.mean)
    np.testing.assert_array_equal(found.images["grain"], decoded.std)
    np.testing.assert_allclose(found.std**2, decoded.std**2 + own, rtol=1e-9)
    np.testing.assert_allclose(found.images["noise variance"], NOISE, rtol=1e-6)


def test_samples_and_quantiles_are_of_this_distribution() -> None:
    (unsure, sure), mixed, how = unsure_and_sure(), image(24, 40), PredictionSpec(samples=400, seed=3)
    found = predict(unsure, mixed, how, summaries=[Quantiles((0.25, 0.75))])
    around = draw_samples(unsure, mixed, how) - draw_samples(sure, mixed, how)
    assert found.std is not None
    decoded = predict(sure, mixed, how).std
    assert decoded is not None
    own = found.std**2 - decoded**2
    normal = around / np.sqrt(own)
    # 400 samples of 1920 pixels: a fiftieth of the variance is 14 standard errors.
    assert np.var(normal) == pytest.approx(1, rel=0.02)
    assert abs(np.mean(normal)) < 5e-3
    beside = np.mean(normal[..., 1:] * normal[..., :-1]), np.mean(normal[:, :1] * normal[:, 1:])
    assert np.abs(beside).max() < 5e-3
    wide = found.images["quantile 0.75"] - found.images["quantile 0.25"]
    drawn = draw_samples(unsure, mixed, how)
    low, high = np.quantile(drawn, (0.25, 0.75), axis=0, method="weibull")
    np.testing.assert_allclose(wide, high - low, rtol=1e-9)


@pytest.mark.parametrize("noise", ["box_muller", "ziggurat"])
def test_samples_depend_neither_on_tiles_nor_on_batches(noise: Literal["box_muller", "ziggurat"]) -> None:
    unsure, mixed = small_vse(noise_model=Unsure()), image(150, 20)
    how = PredictionSpec(samples=3, seed=9, tile=152, noise=noise)
    whole = draw_samples(unsure, mixed, how)
    tiled = draw_samples(unsure, mixed, PredictionSpec(samples=3, seed=9, tile=48, noise=noise))
    np.testing.assert_allclose(tiled, whole, rtol=1e-9)
    np.testing.assert_allclose(draw_samples(unsure, mixed, how, batch=2), whole, rtol=1e-9)
    later = draw_samples(unsure, mixed, PredictionSpec(samples=1, seed=9, tile=152, noise=noise), first=2)
    np.testing.assert_allclose(later[0], whole[2], rtol=1e-9)


@pytest.mark.parametrize("rank", [2, 3])
@pytest.mark.parametrize("channels", [1, 2])
def test_moments_leave_what_they_add_as_it_is(rank: int, channels: int) -> None:
    """Whatever the layout in memory: the std of many samples is that of all, sample by sample."""
    vse = small_vse(rank=rank, channels=channels, noise_model=Unsure())
    mixed, how = image(*(8, 12, 20)[-rank:]), PredictionSpec(samples=3, seed=1)
    found = predict(vse, mixed, how, summaries=[NoiseVariance(), Grain()])
    assert found.std is not None
    apart = found.std**2 - found.images["grain"] ** 2
    maps = small_vse(rank=rank, channels=channels, noise_model=MapNoise())
    own = predict(maps, mixed, how, summaries=[NoiseVariance()]).images["noise variance"]
    np.testing.assert_allclose(apart, SIZE * own, rtol=1e-9)


def test_volumes_and_networks_with_context_are_sampled_too() -> None:
    context = {"input_scales": 3}
    for vse, mixed in (
        (small_vse(rank=3, noise_model=Unsure()), image(8, 12, 20)),
        (small_vse(context=context, noise_model=Unsure()), image(24, 24)),
    ):
        drawn = draw_samples(vse, mixed, PredictionSpec(samples=2, seed=1))
        assert drawn.shape == (2, 2, *mixed.shape)
        assert float(torch.from_numpy(drawn).diff(dim=0).std()) > 1
