import numpy as np
import pytest

from denoisplit.core.images.noise_pairs import bootstrap_pairs
from denoisplit.core.network.interfaces import NoisePairs
from denoisplit.core.survey.measuring import dark_level
from denoisplit.core.survey.spectrum import finest_detail
from tests.survey.pictures import GAIN, OFFSET, exposure, light


@pytest.mark.parametrize("finest", [0.06, 0.1, 0.18, 0.3])
def test_the_finest_detail_is_where_the_structures_end(finest: float) -> None:
    """Squaring doubles the band of the field; its power falls towards the end of that band."""
    image = OFFSET + GAIN * light(256, seed=0, finest=finest / 2)
    noisy = image + np.random.default_rng(1).normal(0, 0.5, image.shape)
    assert 0.7 * finest < finest_detail([noisy]) < finest + 0.02


def test_detail_counts_where_it_has_the_power_of_the_noise() -> None:
    """Structures of three times the power of the noise up to 0.15, of a third of it up to 0.3."""
    rng = np.random.default_rng(0)
    frequency = np.fft.fftfreq(512)
    radius = np.hypot(frequency[:, None], frequency)
    power = np.select([radius < 0.15, radius < 0.3], [3.0, 1 / 3], 0.0)
    structures = np.fft.ifft2(np.fft.fft2(rng.normal(size=(512, 512))) * np.sqrt(power)).real
    assert abs(finest_detail([structures + rng.normal(size=(512, 512))]) - 0.15) < 0.02


def test_noise_alone_has_no_detail_and_sharp_edges_have_all() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(100, 5, (256, 256))
    assert finest_detail([noise]) < 0.05
    edges = np.zeros((256, 256))
    for row, column, height, width in rng.integers(1, 200, (300, 4)):
        edges[row : row + height // 4, column : column + width // 4] += 10
    assert finest_detail([edges]) > 0.25


def test_images_too_small_to_tell_count_as_fine() -> None:
    assert finest_detail([np.zeros((16, 16))]) == 0.5


@pytest.mark.parametrize("offset", [0.0, 100.0, 480.0])
def test_the_dark_level_is_where_shot_noise_vanishes(offset: float) -> None:
    rng = np.random.default_rng(0)
    photons = rng.uniform(1, 80, 200_000)
    signal = offset + GAIN * photons
    pairs = NoisePairs(signal, offset + GAIN * rng.poisson(photons), "known")
    found = dark_level(pairs)
    assert found is not None
    assert abs(found - offset) < 2


def test_the_dark_level_is_found_without_clean_images() -> None:
    noisy = exposure(light(256, seed=3), seed=4)
    found = dark_level(bootstrap_pairs(noisy))
    assert found is not None
    assert abs(found - OFFSET) < 8


def test_noise_that_does_not_depend_on_light_tells_no_dark_level() -> None:
    rng = np.random.default_rng(0)
    signal = rng.uniform(100, 200, 50_000)
    assert dark_level(NoisePairs(signal, signal + rng.normal(0, 5, signal.size), "known")) is None
