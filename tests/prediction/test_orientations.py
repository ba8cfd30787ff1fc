"""Samples of turned images: each is what the network makes of the turned image, turned back."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from denoisplit.core.errors import SpecError
from denoisplit.core.network.noise_source import NoiseSource
from denoisplit.core.prediction.latents.box_muller_field import BoxMullerField
from denoisplit.core.prediction.latents.noise_field import FieldNoise
from denoisplit.core.prediction.outputs.posterior import draw_samples, predict
from denoisplit.core.spec.records import PredictionSpec
from tests.network.small import network
from tests.network.variants import anisotropic
from tests.prediction.networks import small_vse
from tests.prediction.test_posterior import image

HOW = PredictionSpec(samples=16, seed=9, orientations=8)


def turned(pixels: np.ndarray[Any, Any], number: int) -> np.ndarray[Any, Any]:
    found = np.rot90(pixels, number // 2, axes=(-2, -1))
    return found[..., ::-1].copy() if number % 2 else found.copy()


class Turned(NoiseSource):
    """Noise of the places of the image, seen in another orientation."""

    def __init__(self, source: NoiseSource, number: int) -> None:
        self.source, self.number = source, number

    def normal(self, level: int, like: Tensor) -> Tensor:
        *front, height, width = like.shape
        sides = (width, height) if self.number // 2 % 2 else (height, width)
        drawn = self.source.normal(level, like.new_empty((*front, *sides)))
        return torch.from_numpy(turned(drawn.numpy(), self.number))


def test_a_sample_is_that_of_the_turned_image_turned_back() -> None:
    """Sides are multiples of the stride, so that there is neither padding nor a tile."""
    vse, mixed = small_vse(), image(16, 32)
    samples = draw_samples(vse, mixed, HOW)
    assert len({sample.tobytes() for sample in samples}) == 16
    for number, sample in enumerate(samples):
        noise = Turned(FieldNoise(BoxMullerField(9), [number], [(0, 0)], vse.level_strides), number % 8)
        given = torch.from_numpy(turned(mixed, number % 8))[None, None]
        with torch.inference_mode():
            expected = vse.statistics.to_counts(vse.decode(given, noise).output).numpy()[0]
        np.testing.assert_allclose(turned(sample, number % 8), expected, rtol=1e-12)


def test_every_eighth_sample_is_that_of_the_image_as_it_is() -> None:
    vse, mixed = small_vse(), image(21, 34)
    plain = draw_samples(vse, mixed, PredictionSpec(samples=16, seed=9))
    found = draw_samples(vse, mixed, HOW)
    np.testing.assert_array_equal(found[::8], plain[::8])
    assert np.abs(found[1:8] - plain[1:8]).max((1, 2, 3)).min() > 1e-3


def test_tiles_leave_the_samples_as_they_are() -> None:
    vse, mixed = small_vse(), image(40, 200)
    whole, tiled = (
        predict(vse, mixed, PredictionSpec(samples=9, seed=9, orientations=8, tile=tile))
        for tile in (256, 32)
    )
    np.testing.assert_allclose(tiled.mean, whole.mean, rtol=1e-10)
    assert whole.std is not None
    assert tiled.std is not None
    np.testing.assert_allclose(tiled.std, whole.std, rtol=1e-8)


def test_the_encoder_runs_once_per_orientation() -> None:
    vse, calls = small_vse(), list[int]()
    predict(vse, image(16, 16), HOW)  # measures what a pass takes
    vse.encoder.register_forward_hook(lambda *_: calls.append(1))
    predict(vse, image(16, 16), HOW)
    assert len(calls) == 8


def test_networks_that_do_not_see_turned_images_alike_are_refused() -> None:
    refusal = r"^\$\.prediction\.orientations: .* \(got %s\)\. Remove it"
    with pytest.raises(SpecError, match=refusal % "lateral context"):
        predict(small_vse(context={"input_scales": 2}), image(16, 16), HOW)
    with pytest.raises(SpecError, match=refusal % "different strides along y and x"):
        predict(network(parts=anisotropic), image(16, 16), HOW)
