"""Noise pairs have the statistics of the noise: mean the signal, variance that of the camera."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import norm

from denoisplit.core.arrays import Float64Array
from denoisplit.core.errors import ImageError
from denoisplit.core.images.neighbour_prediction import NeighbourPrediction, best_prediction
from denoisplit.core.images.noise_pairs import (
    bootstrap_pairs,
    join_pairs,
    pairs_from_clean,
    pairs_from_repeats,
)
from denoisplit.core.network.interfaces import NoisePairs

GAIN, OFFSET = 5.0, 100.0


def scene(side: int = 256, seed: int = 0) -> Float64Array:
    """Blurred spots and background."""
    rng = np.random.default_rng(seed)
    spots = gaussian_filter((rng.random((side, side)) < 0.003) * 2e5, 5)
    clean: Float64Array = OFFSET + 50 + spots * 0.5
    return clean


def expose(clean: Float64Array, count: int, seed: int = 1) -> Float64Array:
    electrons = np.random.default_rng(seed).poisson((clean - OFFSET) / GAIN, (count, *clean.shape))
    return OFFSET + GAIN * electrons.astype(np.float64)


def variance_ratio(pairs: NoisePairs) -> Float64Array:
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
    np.testing.assert_allclose(variance_ratio(pairs), 1, atol=0.05)


@pytest.mark.parametrize("brightness", [0.3, 1])
def test_structures_as_fine_as_a_point_spread_function_are_hardly_taken_for_noise(brightness: float) -> None:
    """With a blurred image for the signal, their variance is 1.5 and 2.2 times that of the camera."""
    rng = np.random.default_rng(3)
    spots = gaussian_filter((rng.random((256, 256)) < 0.02) * 5e3 * brightness, 1.2)
    pairs = join_pairs([bootstrap_pairs(image) for image in expose(OFFSET + 50 + spots, 3)])
    np.testing.assert_allclose(variance_ratio(pairs), 1, atol=0.3)
    assert slope(pairs) == pytest.approx(1, abs=0.15)


def test_the_slope_of_a_bootstrap_is_that_of_the_noise_alone() -> None:
    """With a blurred image for the signal it is 1.03, as structures are flattened."""
    pairs = join_pairs([bootstrap_pairs(image) for image in expose(scene(), 6)])
    assert slope(pairs) == pytest.approx(1, abs=0.015)


@pytest.mark.parametrize(("side", "margin"), [(8, 1), (64, 2), (80, 3), (256, 3)])
def test_small_images_are_asked_for_fewer_weights(side: int, margin: int) -> None:
    assert best_prediction(expose(np.full((side, side), 400.0), 1)).margin == margin


def test_the_weight_of_the_pixel_makes_slope_and_variance_exact() -> None:
    r"""Without structure, all neighbours count alike, and there is only sampling error.

    The mean of 48 has the variance q = 1 / 48 of the noise, and the pixel the weight w = q / (1 + q). So the
    signal has the variance w v of the noise that is left, the residual v. Of N pixels, the slope has the
    error :math:`1 / \sqrt{N w}` and the variance :math:`\sqrt{2 / N}`, somewhat more as neighbours correlate.
    """
    pairs = join_pairs([bootstrap_pairs(image) for image in expose(np.full((256, 256), 400.0), 6)])
    count, weight = len(pairs.signal), 1 / 49
    residual = pairs.observation - pairs.signal
    assert pairs.signal.var() == pytest.approx(weight * GAIN * 300, rel=0.05)
    assert slope(pairs) == pytest.approx(1, abs=5 / np.sqrt(count * weight))
    assert residual.var() == pytest.approx(GAIN * 300, rel=6 * np.sqrt(2 / count))


def test_the_brightness_of_an_error_is_that_of_its_noise() -> None:
    """At the bottom of a parabola, most of the noise of an error is that of the brighter neighbours."""
    parabola = 110 + 200.0 * np.arange(-5, 6) ** 2 * np.ones((8000, 1))
    kernel = np.zeros((5, 5))
    kernel[2] = np.array([-1, 4, 0, 4, -1]) / 6
    prediction = NeighbourPrediction(kernel)
    image = expose(parabola, 1)[0]
    errors, brightness = image - prediction.of(image), prediction.brightness(image)
    for column in range(2, 9):
        found = errors[:, column].var() / (1 + prediction.noise)
        assert found == pytest.approx(GAIN * (brightness[:, column].mean() - OFFSET), rel=0.1)
    assert abs(errors[:, 5].mean()) < 1
    flat = expose(np.full((400, 400), 400.0), 1)[0]
    both = np.stack([(flat - prediction.of(flat)).ravel(), prediction.brightness(flat).ravel()])
    assert np.corrcoef(both)[0, 1] == pytest.approx(0, abs=5 / 400)


def test_a_bright_spike_does_not_decide_on_all_other_pixels() -> None:
    image = np.random.default_rng(4).normal(scene() + 400, 30)
    image[::50, ::50] = 20_000
    pairs = bootstrap_pairs(image)
    middle = np.median(np.abs(pairs.observation - pairs.signal))
    assert middle == pytest.approx(30 * norm.ppf(0.75), rel=0.1)


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
