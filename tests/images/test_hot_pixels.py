"""Single pixels beyond all measure are found, told and healed; images without them stay the same objects."""

from functools import partial

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from denoisplit.core.arrays import AnyArray, Float32Array, Window
from denoisplit.core.images.bases import Field
from denoisplit.core.images.hot_pixels import healed, healed_field, healed_image, hot_places
from denoisplit.core.images.intensity_statistics import intensity_stats
from denoisplit.core.images.lazy import LazyPixels
from denoisplit.core.images.mixing import Mixing


def scene(seed: int, shape: tuple[int, ...] = (2, 64, 64)) -> Float32Array:
    rng = np.random.default_rng(seed)
    light = gaussian_filter(rng.random(shape) ** 8, (0,) * (len(shape) - 2) + (2, 2)) * 300
    return (100 + rng.poisson(light)).astype(np.float32)


def read(image: Float32Array, region: Window) -> AnyArray:
    return image[region].copy()


def lazily(image: Float32Array) -> LazyPixels:
    return LazyPixels(shape=image.shape, dtype=image.dtype, read=partial(read, image), source="a")


PLACES = ((0, 0, 0), (0, 30, 63), (1, 12, 40), (1, 12, 41))


@pytest.mark.parametrize("height", [1e7, -1e7, 6e4])
def test_hot_pixels_are_found_and_moved_to_their_neighbours(height: float) -> None:
    whole = scene(0)
    spoilt = whole.copy()
    for place in PLACES:
        spoilt[place] = height
    assert hot_places(spoilt) == PLACES
    assert hot_places(lazily(spoilt)) == PLACES
    found = healed(spoilt)
    changed = np.ones(whole.shape, bool)
    changed[tuple(np.transpose(PLACES))] = False
    np.testing.assert_array_equal(found[changed], whole[changed])
    assert np.abs(found - whole).max() < 60
    np.testing.assert_array_equal(np.asarray(healed(lazily(spoilt))), found)
    np.testing.assert_array_equal(np.asarray(healed(lazily(spoilt))[:, 12:14, 41:50]), found[:, 12:14, 41:50])
    known, moved = (intensity_stats([image], Mixing()) for image in (whole, found))
    assert moved.target_std == pytest.approx(known.target_std, rel=0.01)
    assert moved.mixed_mean == pytest.approx(known.mixed_mean, rel=1e-3)


def test_images_without_hot_pixels_stay_as_they_are() -> None:
    beads = np.zeros((1, 64, 64), np.float32)
    beads[0, 10::17, 10::17] = 1e5
    spots = gaussian_filter(beads, (0, 0.8, 0.8)) + scene(1)[:1]
    sparse = (np.random.default_rng(2).random((1, 64, 64)) < 5e-4).astype(np.float32)
    line = scene(3)[:1]
    line[0, 20, 10:14] = 1e6
    for image in (scene(4), scene(5, (1, 4, 32, 32)), spots, sparse, line):
        assert healed(image) is image
        assert hot_places(image) == ()
    assert healed_image(beads[0]) is not None


def test_all_images_of_a_field_are_healed_and_the_place_is_told(caplog: pytest.LogCaptureFixture) -> None:
    spoilt = scene(6)
    spoilt[1, 7, 9] = 1e8
    field = Field(name="f", observed=spoilt, clean=scene(7), repeats=spoilt[None].repeat(2, 0))
    found = healed_field(field)
    assert found.clean is field.clean
    assert found.observed[...].max() < 1e3
    assert found.repeats is not None
    assert found.repeats[...].max() < 1e3
    assert "field f: 1 hot pixel (row 7 column 9), replaced by the median" in caplog.text
    caplog.clear()
    assert healed_image(spoilt[1])[...].max() < 1e3
    assert "row 7 column 9" in caplog.text
