"""What a report says about residuals: the noise is blamed only for what it can be blamed for."""

import numpy as np
import pytest
from scipy.ndimage import correlate1d, gaussian_filter

from denoisplit.core.arrays import Float64Array
from denoisplit.core.assessment.residual_correlation import residual_correlation
from denoisplit.core.images.noise_correlation import Neighbours, NoiseCorrelation
from denoisplit.core.report.residual_words import about_roughness, about_whiteness

SIDE = 192
BLAMED = "the noise itself is correlated"
INDEPENDENT = (
    NoiseCorrelation(Neighbours(0.0, 0.01, 0.01), "the differences between noisy and clean images"),
)
CORRELATED = (NoiseCorrelation(Neighbours(0.0, 0.4, 0.01), "the differences between noisy and clean images"),)


@pytest.fixture
def white() -> Float64Array:
    return np.random.default_rng(0).standard_normal((SIDE, SIDE))


@pytest.fixture
def correlated(white: Float64Array) -> Float64Array:
    averaged: Float64Array = correlate1d(white, [0.5, 1.0, 0.5], axis=-1, mode="wrap") / 1.5**0.5
    return averaged


def blobs(sigma: float) -> Float64Array:
    """Structures with a std of 4 stds of the noise: a chi-square of 17."""
    smooth = gaussian_filter(np.random.default_rng(1).standard_normal((SIDE, SIDE)), sigma, mode="wrap")
    scaled: Float64Array = 4.0 * smooth / smooth.std()
    return scaled


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.0, 6.0])
@pytest.mark.parametrize("measured", [INDEPENDENT, ()])
def test_missed_structure_is_not_called_correlated_noise(
    white: Float64Array, sigma: float, measured: tuple[NoiseCorrelation, ...]
) -> None:
    found = residual_correlation([white + blobs(sigma)])
    assert BLAMED not in about_roughness(found, measured)
    assert "is not white" in about_whiteness(found, measured)


def test_a_checkerboard_of_the_network_is_not_called_noise(white: Float64Array) -> None:
    y, x = np.indices((SIDE, SIDE))
    found = residual_correlation([white + 0.5 * (-1.0) ** (y + x)])
    assert found.rough is not None
    assert (found.rough.along_y, found.rough.along_x) == pytest.approx((-0.5, -0.5))
    for measured in (INDEPENDENT, ()):
        assert BLAMED not in about_roughness(found, measured)


def test_structure_is_named_where_the_noise_is_independent(white: Float64Array) -> None:
    found = residual_correlation([white + blobs(6.0)])
    assert about_roughness(found, INDEPENDENT).endswith("(white noise: 0): this part is as good as white.")
    told = about_whiteness(found, INDEPENDENT)
    assert "although the noise is: it holds structure" in told
    assert "correlated" not in told
    assert "or the noise is correlated" in about_whiteness(found, ())


def test_noise_that_may_be_either_is_neither(white: Float64Array) -> None:
    few = (NoiseCorrelation(Neighbours(0.0, 0.2, 0.1), "the differences between noisy and clean images"),)
    assert "or the noise is correlated" in about_whiteness(residual_correlation([white + blobs(6.0)]), few)


def test_fine_structure_is_that_of_the_network(white: Float64Array) -> None:
    found = residual_correlation([white + blobs(0.5)])
    assert "This is not the noise" in about_roughness(found, INDEPENDENT)
    assert "does not tell" in about_roughness(found, ())


@pytest.mark.parametrize("measured", [CORRELATED, ()])
def test_correlated_noise_is_told(correlated: Float64Array, measured: tuple[NoiseCorrelation, ...]) -> None:
    found = residual_correlation([correlated])
    assert BLAMED in about_roughness(found, measured)
    assert "or the noise is correlated" in about_whiteness(found, measured)


def test_white_noise_is_white(white: Float64Array) -> None:
    found = residual_correlation([white])
    assert "as good as white" in about_roughness(residual_correlation([white[:32, :32]]), ())
    assert "as good as white" in about_whiteness(found, INDEPENDENT)
    assert "as good as white" in about_roughness(found, INDEPENDENT)


def test_small_images_have_no_rough_part(white: Float64Array) -> None:
    assert about_roughness(residual_correlation([white[:15]]), INDEPENDENT) == ""
