"""Law: a prediction is the same for every tile size and every batch size."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from denoisplit.core.inference.posterior import predict
from denoisplit.core.inference.receptive_field import halo
from denoisplit.core.network.vse import VSE
from tests.inference.networks import small_vse

TWO = small_vse(levels=2)
THREE = small_vse(levels=1, rank=3, channels=3)
HALO = {2: halo(TWO), 3: halo(THREE)}


def check(vse: VSE, shape: tuple[int, ...], *, tile: int, batch: int, samples: int, seed: int) -> None:
    mixed = np.random.default_rng(seed).normal(120, 30, shape)
    whole = predict(vse, mixed, samples=samples, seed=seed, tile=max(shape), sample_batch=1)
    tiled = predict(
        vse, mixed, samples=samples, seed=seed, tile=tile, sample_batch=batch, halo=HALO[len(shape)]
    )
    assert tiled.mean.shape == (vse.channels, *shape)
    np.testing.assert_allclose(tiled.mean, whole.mean, rtol=1e-10)
    if samples == 1:
        assert tiled.std is whole.std is None
    else:
        assert tiled.std is not None
        assert whole.std is not None
        np.testing.assert_allclose(tiled.std, whole.std, rtol=1e-6, atol=1e-9)


@settings(max_examples=20)
@given(
    shape=st.tuples(st.integers(1, 120), st.integers(1, 120)),
    tile=st.integers(1, 90),
    batch=st.integers(1, 4),
    samples=st.integers(1, 3),
    seed=st.integers(0, 10**9),
)
def test_two_dimensions(shape: tuple[int, int], tile: int, batch: int, samples: int, seed: int) -> None:
    check(TWO, shape, tile=max(tile, max(shape) // 3), batch=batch, samples=samples, seed=seed)


@settings(max_examples=6)
@given(
    shape=st.tuples(st.integers(1, 9), st.integers(1, 70), st.integers(1, 70)),
    tile=st.integers(12, 40),
    seed=st.integers(0, 10**9),
)
def test_three_dimensions(shape: tuple[int, int, int], tile: int, seed: int) -> None:
    check(THREE, shape, tile=tile, batch=2, samples=2, seed=seed)


def test_a_halo_that_is_too_small_shows() -> None:
    """The law can fail (influence fades, so the last few pixels of the halo are below rounding)."""
    mixed = np.random.default_rng(0).normal(120, 30, (120, 40))
    whole = predict(TWO, mixed, samples=1, seed=0, tile=120).mean
    tiled = predict(TWO, mixed, samples=1, seed=0, tile=40, halo=(8, 8)).mean
    assert np.abs(tiled - whole).max() > 1e-6


@pytest.mark.parametrize("tile", [80, 136])
def test_single_precision_agrees_to_rounding(tile: int) -> None:
    vse = small_vse(levels=3, width=8).float()
    mixed = np.random.default_rng(0).normal(120, 30, (200, 90)).astype(np.float32)
    whole = predict(vse, mixed, samples=2, seed=5)
    tiled = predict(vse, mixed, samples=2, seed=5, tile=tile, sample_batch=2)
    assert tiled.mean.dtype == np.float32
    assert np.abs(tiled.mean - whole.mean).max() < 1e-5 * np.ptp(whole.mean)
    assert torch.is_grad_enabled()
