"""Noise pairs have the statistics of the noise: mean the signal, variance that of the camera."""

import numpy as np
import numpy.typing as npt
import pytest
from scipy.ndimage import gaussian_filter

from denoisplit.core.errors import ImageError
from denoisplit.core.images.noise_pairs import (
    bootstrap_pairs,
    join_pairs,
    pairs_from_clean,
    pairs_from_repeats,
)
from denoisplit.core.network.interfaces import NoisePairs

Array = npt.NDArray[np.float64]
GAIN, OFFSET = 5.0, 100.0


def scene(side: int = 256, seed: int = 0) -> Array:
    """Blurred spots and background."""
    rng = np.random.default_rng(seed)
    spots = gaussian_filter((rng.random((side, side)) < 0.003) * 2e5, 5)
    clean: Array = OFFSET + 50 + spots * 0.5
    return clean


def expose(clean: Array, count: int, seed: int = 1) -> Array:
    electrons = np.random.default_rng(seed).poisson((clean - OFFSET) / GAIN, (count, *clean.shape))
    return OFFSET + GAIN * electrons.astype(np.float64)


def variance_ratio(pairs: NoisePairs) -> Array:
    """Variance of the residual over that of the camera, in thirds of the signal."""
    thirds = np.digitize(pairs.signal, np.quantile(pairs.signal, [1 / 3, 2 / 3]))
    residual = pairs.observation - pairs.signal
    expected = GAIN * (pairs.signal - OFFSET)
    return np.array([(residual[thirds == i] ** 2).mean() / expected[thirds == i].mean() for i in range(3)])


def slope(pairs: NoisePairs) -> float:
    covariance = np.cov(pairs.signal, pairs.observation)
    return float(covariance[0, 1] / covariance[0, 0])


def test_clean_references_are_taken_as_they_are() -> None:
    clean = scene()
    pairs = pairs_from_clean(clean, expose(clean, 1)[0], limit=50_000)
    assert len(pairs.signal) == 50_000
    np.testing.assert_allclose(variance_ratio(pairs), 1, atol=0.05)
    every = pairs_from_clean(clean[:8, :8], clean[:8, :8] + 1)
    assert np.array_equal(np.sort(every.signal), np.sort(clean[:8, :8].ravel()))


@pytest.mark.parametrize("count", [2, 3, 20])
def test_repeats_have_the_full_variance_and_the_signal_as_mean_however_few(count: int) -> None:
    pairs = pairs_from_repeats(expose(scene(), count), limit=300_000)
    np.testing.assert_allclose(variance_ratio(pairs), 1, atol=0.05)
    assert slope(pairs) == pytest.approx(1, abs=0.01)


def test_bootstrap_comes_close_without_any_reference() -> None:
    pairs = join_pairs([bootstrap_pairs(image) for image in expose(scene(), 6)])
    np.testing.assert_allclose(variance_ratio(pairs), 1, atol=0.15)
    assert slope(pairs) == pytest.approx(1, abs=0.05)


def test_bootstrap_of_flat_images_is_exact_in_3d_too() -> None:
    flat = np.full((6, 128, 128), 400.0)
    pairs = bootstrap_pairs(expose(flat, 1)[0])
    residual = pairs.observation - pairs.signal
    assert residual.var() == pytest.approx(GAIN * 300, rel=0.05)
    assert abs(residual.mean()) < 1


def test_choice_of_pairs_depends_on_the_seed_only() -> None:
    image = expose(scene(64), 3)
    one, two, other = (pairs_from_repeats(image, limit=500, seed=s) for s in (1, 1, 2))
    assert np.array_equal(one.observation, two.observation)
    assert not np.array_equal(one.observation, other.observation)
    joined = join_pairs([one, other], limit=300, seed=0)
    assert len(joined.signal) == len(joined.observation) == 300
    assert joined.origin == "repeats"


def test_images_that_allow_no_pairs_are_refused() -> None:
    with pytest.raises(ImageError, match="shapes"):
        pairs_from_clean(np.ones((4, 4)), np.ones((4, 5)))
    with pytest.raises(ImageError, match="two or more exposures"):
        pairs_from_repeats(np.ones((1, 9, 9)))
    with pytest.raises(ImageError, match="8 x 8"):
        bootstrap_pairs(np.ones((4, 100)))
    with pytest.raises(ImageError, match="finite"):
        bootstrap_pairs(np.full((20, 20), np.nan))
    with pytest.raises(ImageError, match="no images"):
        join_pairs([])
