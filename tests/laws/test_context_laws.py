"""Law: with lateral context, too, a prediction is the same for every tile size and every batch size."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.outputs.posterior import draw_samples, predict
from denoisplit.core.prediction.tiles.receptive_field import halo
from denoisplit.core.spec.records import PredictionSpec
from tests.prediction.networks import small_vse

VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "regular": {"context": {"input_scales": 3}},
    "lean": {"context": {"input_scales": 3, "retain": "features"}},
    "neither": {"context": {"input_scales": 3, "retain": "neither"}},
    "deep": {"levels": 3, "context": {"input_scales": 2}},
    "two blocks": {"levels": 1, "context": {"input_scales": 2, "blocks": 2}},
    "stack": {"levels": 1, "rank": 3, "channels": 3, "context": {"input_scales": 2, "strides": ((1, 2, 2),)}},
}


@cache
def variant(name: str) -> tuple[VSE, tuple[int, ...]]:
    """A network and its halo."""
    vse = small_vse(**VARIANTS[name])
    return vse, halo(vse)


@pytest.mark.parametrize("name", VARIANTS)
@settings(max_examples=5)
@given(
    sides=st.tuples(st.integers(1, 400), st.integers(1, 20)),
    turned=st.booleans(),
    tile=st.integers(1, 90),
    batch=st.integers(1, 3),
    seed=st.integers(0, 10**9),
)
def test_tiles_and_batches_do_not_show(
    name: str, sides: tuple[int, int], turned: bool, tile: int, batch: int, seed: int
) -> None:
    vse, around = variant(name)
    shape = (*(3,) * (vse.spatial_rank - 2), *(sides[::-1] if turned else sides))
    mixed = np.random.default_rng(seed).normal(120, 30, shape)
    whole = draw_samples(vse, mixed, PredictionSpec(samples=3, seed=seed, tile=1024), batch=1)
    side = max(tile, max(sides) // 3)
    tiled = draw_samples(
        vse, mixed, PredictionSpec(samples=3, seed=seed, tile=side), batch=batch, halo=around
    )
    assert whole.shape == (3, vse.channels, *shape)
    np.testing.assert_allclose(tiled, whole, rtol=1e-9)


def test_many_tiles_of_one_image() -> None:
    """Tiles at all borders and tiles in the middle, in both directions."""
    vse, around = variant("two blocks")
    side = 3 * max(around) + 31
    mixed = np.random.default_rng(0).normal(120, 30, (side, side))
    whole = predict(vse, mixed, PredictionSpec(samples=2, seed=1, tile=side))
    tiled = predict(vse, mixed, PredictionSpec(samples=2, seed=1, tile=max(around)), batch=2, halo=around)
    np.testing.assert_allclose(tiled.mean, whole.mean, rtol=1e-9)
    assert tiled.std is not None
    assert whole.std is not None
    np.testing.assert_allclose(tiled.std, whole.std, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", ["regular", "lean", "deep"])
def test_a_halo_that_is_too_small_shows(name: str) -> None:
    vse, around = variant(name)
    mixed = np.random.default_rng(0).normal(120, 30, (3 * around[0], 16))
    whole = predict(vse, mixed, PredictionSpec(samples=1, seed=0, tile=1024)).mean
    tiled = predict(vse, mixed, PredictionSpec(samples=1, seed=0, tile=around[0]), halo=vse.stride).mean
    assert np.abs(tiled - whole).max() > 1e-6


@pytest.mark.parametrize("name", ["regular", "lean", "neither"])
def test_the_surround_matters(name: str) -> None:
    """Context makes a network look further than the same network without."""
    levels = 2
    assert halo(small_vse(levels=levels))[0] < variant(name)[1][0]
