"""Law: a prediction, every single sample and every calibrated image too, is the same for any tile, batch size
and number of workers."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.outputs.offers import Calibrated
from denoisplit.core.prediction.outputs.output_words import parse_outputs, summaries_of
from denoisplit.core.prediction.outputs.posterior import Posterior, predict
from denoisplit.core.prediction.samples.summaries import NoiseVariance, Quantiles, Samples
from denoisplit.core.prediction.tiles.receptive_field import halo
from denoisplit.core.spec.records import PredictionSpec
from tests.prediction.networks import MapNoise, ShotNoise, small_vse
from tests.registered import calibrators

TWO = small_vse(levels=2, noise_model=MapNoise())
THREE = small_vse(levels=1, rank=3, channels=3, noise_model=ShotNoise())
HALO = {2: halo(TWO), 3: halo(THREE)}


CALIBRATORS = calibrators()
IMAGES = "mean,std,total_std,samples,quantile=0.3,interval=0.5,calibrated_std,calibrated_interval=0.9"
EVERYTHING = (Samples(), NoiseVariance(), Quantiles((0.5,)))


def check(
    vse: VSE, shape: tuple[int, ...], *, tile: int, batch: int, workers: int, samples: int, seed: int
) -> None:
    mixed = np.random.default_rng(seed).normal(120, 30, shape)
    whole = predict(
        vse, mixed, PredictionSpec(samples=samples, seed=seed, tile=max(shape)), batch=1, summaries=EVERYTHING
    )
    tiled = predict(
        vse,
        mixed,
        PredictionSpec(samples=samples, seed=seed, tile=tile),
        batch=batch,
        halo=HALO[len(shape)],
        workers=workers,
        summaries=EVERYTHING,
    )
    assert list(tiled.images) == [*(f"sample {i}" for i in range(samples)), "noise variance", "quantile 0.5"]
    for name, image in tiled.images.items():
        np.testing.assert_allclose(image, whole.images[name], rtol=1e-9)
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
    workers=st.integers(1, 3),
    samples=st.integers(1, 3),
    seed=st.integers(0, 10**9),
)
def test_two_dimensions(
    shape: tuple[int, int], tile: int, batch: int, workers: int, samples: int, seed: int
) -> None:
    tile = max(tile, max(shape) // 3)
    check(TWO, shape, tile=tile, batch=batch, workers=workers, samples=samples, seed=seed)


def _fitted(seed: int) -> dict[str, Calibrated]:
    """Every registered calibrator, fitted to other images with a std as that of the network."""
    rng = np.random.default_rng(seed)
    mean, std = rng.normal(100, 20, (2, 2, 30, 30)), rng.gamma(5, 1, (2, 2, 30, 30))
    truth = mean + 1.5 * std * rng.normal(size=std.shape)
    return {name: Calibrated(c, c.fit(mean, std, truth)) for name, c in CALIBRATORS.items()}


def _images(posterior: Posterior, calibrated: dict[str, Calibrated]) -> dict[str, np.ndarray[Any, Any]]:
    """Every image that can be asked for, those of every calibrator too."""
    return {
        f"{name} {kind}": image
        for name, known in calibrated.items()
        for output in parse_outputs(IMAGES)
        for kind, image in output.make(posterior, known).items()
    }


@settings(max_examples=12)
@given(
    shape=st.tuples(st.integers(1, 120), st.integers(1, 120)),
    tile=st.integers(1, 90),
    batch=st.integers(1, 4),
    workers=st.integers(1, 3),
    samples=st.integers(3, 5),
    seed=st.integers(0, 10**9),
)
def test_every_image_that_can_be_asked_for(
    shape: tuple[int, int], tile: int, batch: int, workers: int, samples: int, seed: int
) -> None:
    mixed, calibrated = np.random.default_rng(seed).normal(120, 30, shape), _fitted(seed)

    def made(tile: int, batch: int, workers: int) -> dict[str, np.ndarray[Any, Any]]:
        posterior = predict(
            TWO,
            mixed,
            PredictionSpec(samples=samples, seed=seed, tile=tile),
            halo=HALO[2],
            batch=batch,
            workers=workers,
            summaries=summaries_of(parse_outputs(IMAGES)),
        )
        return _images(posterior, calibrated)

    tile = max(tile, max(shape) // 3)
    whole, tiled, serial = made(max(shape), 1, 1), made(tile, batch, workers), made(tile, 1, 1)
    assert len(whole) == len(CALIBRATORS) * (9 + samples)
    for name, image in whole.items():
        assert np.isfinite(image).all()
        np.testing.assert_allclose(tiled[name], image, rtol=1e-6, atol=1e-6, err_msg=name)
        np.testing.assert_array_equal(serial[name], tiled[name], err_msg=name)


@settings(max_examples=6)
@given(
    shape=st.tuples(st.integers(1, 9), st.integers(1, 70), st.integers(1, 70)),
    tile=st.integers(12, 40),
    workers=st.integers(1, 2),
    seed=st.integers(0, 10**9),
)
def test_three_dimensions(shape: tuple[int, int, int], tile: int, workers: int, seed: int) -> None:
    check(THREE, shape, tile=tile, batch=2, workers=workers, samples=2, seed=seed)


def test_a_halo_that_is_too_small_shows() -> None:
    """The law can fail (influence fades, so the last few pixels of the halo are below rounding)."""
    mixed = np.random.default_rng(0).normal(120, 30, (120, 40))
    whole = predict(TWO, mixed, PredictionSpec(samples=1, seed=0, tile=120)).mean
    tiled = predict(TWO, mixed, PredictionSpec(samples=1, seed=0, tile=40), halo=(8, 8)).mean
    assert np.abs(tiled - whole).max() > 1e-6


@pytest.mark.parametrize("tile", [80, 136])
def test_single_precision_agrees_to_rounding(tile: int) -> None:
    vse = small_vse(levels=3, width=8).float()
    mixed = np.random.default_rng(0).normal(120, 30, (200, 90)).astype(np.float32)
    whole = predict(vse, mixed, PredictionSpec(samples=2, seed=5))
    tiled = predict(vse, mixed, PredictionSpec(samples=2, seed=5, tile=tile), batch=2)
    assert tiled.mean.dtype == np.float32
    assert np.abs(tiled.mean - whole.mean).max() < 1e-5 * np.ptp(whole.mean)
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("rank", [2, 3])
def test_batches_and_workers_change_no_bit_in_single_precision(rank: int) -> None:
    """Every sample, too. Tiles of other sizes are convolved by other kernels, which round in other ways."""
    vse = small_vse(levels=2, width=8, rank=rank).float()
    mixed = np.random.default_rng(0).normal(120, 30, (4, 40, 50)[-rank:]).astype(np.float32)

    def images(batch: int, workers: int) -> list[np.ndarray[Any, Any]]:
        made = predict(
            vse,
            mixed,
            PredictionSpec(samples=5, seed=5, tile=16),
            halo=(8,) * rank,
            batch=batch,
            workers=workers,
            summaries=[Samples()],
        )
        return [made.mean, np.asarray(made.std), *made.images.values()]

    expected = images(1, 1)
    assert len(expected) == 7
    for batch, workers in ((2, 1), (5, 1), (1, 2), (3, 3)):
        for one, other in zip(images(batch, workers), expected, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_a_large_image_is_the_same_in_tiles_of_256_and_512() -> None:
    """In single precision: every sample within 1e-5 of the intensity range; bit for bit for two workers."""
    vse = small_vse(levels=3, width=8, latent=8).float()
    mixed = np.random.default_rng(0).normal(120, 30, (2048, 2048)).astype(np.float32)
    around = halo(vse)

    def made(tile: int, workers: int) -> Posterior:
        return predict(
            vse,
            mixed,
            PredictionSpec(samples=2, seed=5, tile=tile),
            halo=around,
            workers=workers,
            summaries=[Samples()],
        )

    small, large, two = made(256, 1), made(512, 1), made(256, 2)
    scale = np.ptp(large.mean)
    assert large.std is not None
    assert small.std is not None
    assert np.abs(small.std - large.std).max() < 1e-5 * scale
    for one, other, third in zip(
        (small.mean, *small.images.values()),
        (large.mean, *large.images.values()),
        (two.mean, *two.images.values()),
        strict=True,
    ):
        assert np.abs(one - other).max() < 1e-5 * scale
        np.testing.assert_array_equal(one, third)
    assert small.seams is not None
    assert large.seams is not None
    assert small.seams.score == pytest.approx(1, abs=0.05)
    assert large.seams.score == pytest.approx(1, abs=0.05)


def test_in_bf16_workers_and_batches_change_no_bit_and_tiles_little() -> None:
    """Tiles change which window a position lies in, and so how sums are rounded, which is coarse in bf16."""
    vse = small_vse(levels=2, width=8).float()
    mixed = np.random.default_rng(0).normal(120, 30, (120, 90)).astype(np.float32)

    def made(tile: int, workers: int, batch: int) -> Posterior:
        return predict(
            vse,
            mixed,
            PredictionSpec(samples=4, seed=5, tile=tile),
            workers=workers,
            batch=batch,
            halo=HALO[2],
            summaries=[Samples()],
        )

    exact = made(0, 1, 1)
    vse.network_dtype = torch.bfloat16
    whole, tiled, same = made(0, 1, 1), made(40, 1, 1), made(40, 3, 3)
    scale = np.ptp(exact.mean)
    for name, image in tiled.images.items():
        np.testing.assert_array_equal(image, same.images[name])
        rounding = np.abs(whole.images[name] - exact.images[name]).max()
        assert 0 < rounding < 0.05 * scale
        assert np.abs(image - whole.images[name]).max() <= 2 * rounding
    assert whole.std is not None
    assert tiled.std is not None
    assert tiled.std.mean() == pytest.approx(whole.std.mean(), rel=1e-2)
    np.testing.assert_array_equal(tiled.mean, same.mean)
