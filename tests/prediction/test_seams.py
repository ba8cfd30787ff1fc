"""Whether tiles show."""

import math

import numpy as np
import pytest

from denoisplit.core.prediction.outputs.posterior import predict
from denoisplit.core.prediction.tiles.seams import Seams, measure_seams
from denoisplit.core.prediction.tiles.tiling import Clipped, plan_tiles
from denoisplit.core.spec.records import PredictionSpec
from tests.prediction.networks import small_vse

TILES = plan_tiles((64, 96), tile=(32, 32), around=Clipped(halo=(0, 0), stride=(4, 4), canvas=(64, 96)))


def test_a_ramp_has_no_seams_and_a_step_counts_against_it() -> None:
    """Slope 1 along x; the borders of the tiles are at x = 32 and 64, and at y = 32."""
    ramp = np.broadcast_to(np.arange(96.0), (1, 64, 96)).copy()
    seams = measure_seams(ramp, TILES, (1, 1))
    assert seams is not None
    assert seams.score == pytest.approx(1)
    ramp[:, :, 32:] += 5
    found = measure_seams(ramp, TILES, (1, 1))
    assert found is not None
    # Steps of 6 and of 1, beside steps of 1.
    assert found.score == pytest.approx((6 + 1) / 2)


def test_noise_has_no_seams_until_tiles_have_an_offset_each() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 1, (2, 64, 96))
    seams = measure_seams(noise, TILES, (1, 1))
    assert seams is not None
    assert seams.score == pytest.approx(1, abs=0.15)
    noise[1, 32:, :64] += 3
    found = measure_seams(noise, TILES, (1, 1))
    assert found is not None
    assert found.score > 1.5


def test_stacks_have_borders_along_depth_too() -> None:
    tiles = plan_tiles(
        (8, 4, 4), tile=(4, 4, 4), around=Clipped(halo=(0, 0, 0), stride=(1, 1, 1), canvas=(8, 4, 4))
    )
    stack = np.arange(8.0)[None, :, None, None] + np.zeros((1, 8, 4, 4))
    stack[:, 4:] += 1
    seams = measure_seams(stack, tiles, (1, 1, 1))
    assert seams is not None
    assert seams.score == pytest.approx(2)


def test_images_without_borders_or_contrast() -> None:
    assert measure_seams(np.zeros((1, 64, 96)), TILES[:1], (1, 1)) is None
    flat = measure_seams(np.ones((1, 64, 96)), TILES, (1, 1))
    assert flat is not None
    assert flat.score == 1
    step = np.ones((1, 64, 96))
    step[:, :, 32:] = 2
    found = measure_seams(step, TILES, (1, 1))
    assert found is not None
    assert found.score == math.inf
    assert (Seams((1.0,), (2.0,)) + Seams((5.0,), (1.0,))).score == 2
    assert Seams((1.0, 3.0), (4.0, 2.0)).score == 0.25  # further from 1 than 1.5
    assert Seams((0.0, 3.0), (4.0, 2.0)).score == 0


def test_predictions_have_none_but_a_halo_that_is_too_small_shows() -> None:
    vse, mixed = small_vse(), np.random.default_rng(0).normal(120, 30, (160, 160))
    assert predict(vse, mixed, PredictionSpec(samples=1, seed=0, tile=160)).seams is None
    seams = predict(vse, mixed, PredictionSpec(samples=1, seed=0, tile=32)).seams
    cut = predict(vse, mixed, PredictionSpec(samples=1, seed=0, tile=32), halo=(0, 0)).seams
    assert seams is not None
    assert cut is not None
    assert seams.score == pytest.approx(1, abs=0.1)
    assert abs(np.log(cut.score)) > 5 * abs(np.log(seams.score))


@pytest.mark.parametrize("binning", [1, 2, 4])
def test_binned_pixels_are_no_seams(binning: int) -> None:
    """Steps are large where a square of pixels ends; tiles end there, and equal the image in one pass."""
    vse, mixed = small_vse(binning=binning), np.random.default_rng(0).normal(120, 30, (320, 320))
    whole = predict(vse, mixed, PredictionSpec(samples=1, seed=0, tile=320))
    tiled = predict(vse, mixed, PredictionSpec(samples=1, seed=0, tile=32))
    np.testing.assert_allclose(tiled.mean, whole.mean, rtol=1e-9)
    assert tiled.seams is not None
    assert tiled.seams.score == pytest.approx(1, abs=0.05)
