"""Exposures of one place are found by what they show, and are never taken for fields of their own."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from denoisplit.core.arrays import Float32Array, Float64Array
from denoisplit.core.errors import ImageError
from denoisplit.core.images.bases import Field
from denoisplit.core.images.exposures import places_of, refuse_shared_scenes, scenes_of, with_repeats
from denoisplit.core.images.splits import Split, split_fields


def light(seed: int, side: int = 128) -> Float64Array:
    return gaussian_filter(np.random.default_rng(seed).random((side, side)) ** 8, 2) * 100


def exposure(photons: Float64Array, seed: int) -> Float32Array:
    return np.random.default_rng(1000 + seed).poisson(photons).astype(np.float32)[None] + 10


def fields(images: list[Float32Array]) -> list[Field]:
    return [Field(name=f"f{n}", observed=image) for n, image in enumerate(images)]


@pytest.mark.parametrize("brightness", [0.2, 1.0, 10.0])
def test_exposures_of_one_place_are_found_however_noisy_and_bleached(brightness: float) -> None:
    images = [exposure(0.97**n * brightness * light(n // 3), n) for n in range(9)]
    assert places_of(fields(images)) == ((0, 1, 2), (3, 4, 5), (6, 7, 8))


def test_what_all_fields_of_a_microscope_share_makes_no_place_of_them() -> None:
    y, x = np.mgrid[-1:1:128j, -1:1:128j]
    shading = np.exp(-(y**2 + x**2))
    pattern = np.random.default_rng(5).normal(0, 1, (128, 128))
    outline = gaussian_filter((y**2 + x**2 < 0.5).astype(float), 1.5)
    hot = np.zeros((128, 128))
    hot.flat[::997] = 5e5
    for common in (40 * shading, 40 + pattern, 8 * outline, 10 + hot):
        images = [exposure(np.maximum(common + 3 * light(n), 0), n) for n in range(6)]
        assert len(places_of(fields(images))) == len(scenes_of(fields(images))) == 6


@pytest.mark.parametrize(("rows", "columns"), [((2, 2), (2, 2)), ((6, 0), (3, 0)), ((12, 4), (0, 20))])
def test_a_border_of_zeros_makes_no_place_of_fields_and_hides_none(
    rows: tuple[int, int], columns: tuple[int, int]
) -> None:
    inside = np.zeros((1, 128, 128), np.float32)
    inside[:, rows[0] : 128 - rows[1], columns[0] : 128 - columns[1]] = 1
    given = fields([(100 + exposure(light(n // 2), n)) * inside for n in range(6)])
    assert places_of(given) == scenes_of(given) == ((0, 1), (2, 3), (4, 5))
    assert len(scenes_of(given[::2])) == 3


def test_a_movie_is_no_series_of_exposures_where_cells_move() -> None:
    wide = light(0, 160)
    assert len(places_of(fields([exposure(wide[:128, 4 * n : 4 * n + 128], n) for n in range(4)]))) == 4


@pytest.mark.parametrize("brightness", [0.3, 10.0])
@pytest.mark.parametrize("pixels", [0.5, 1.0, 2.0])
def test_frames_of_a_movie_are_one_scene_however_far_its_cells_come(pixels: float, brightness: float) -> None:
    starts = [(movie, round(pixels * n)) for movie in range(3) for n in range(8)]
    wide = [brightness * light(movie, 160) for movie in range(3)]
    images = [exposure(wide[movie][:128, at : at + 128], n) for n, (movie, at) in enumerate(starts)]
    assert scenes_of(fields(images)) == (tuple(range(8)), tuple(range(8, 16)), tuple(range(16, 24)))
    parts = split_fields(fields(images), Split(test_fraction=0.3), 0.3, 0)
    assert [len(part) for part in parts] == [8, 8, 8]


def test_exposures_stay_together_and_one_place_cannot_be_split() -> None:
    given = fields([exposure(light(n // 4), n) for n in range(16)])
    for seed in range(5):
        parts = split_fields(given, Split(test_fraction=0.25), 0.25, seed)
        places = [{int(field.name[1:]) // 4 for field in part} for part in parts]
        assert sum(map(len, places)) == 4  # no place in two parts
        assert [len(part) for part in parts] == [8, 4, 4]
    with pytest.raises(ImageError, match="so none can be held out"):
        split_fields(given[:4], Split(), 0.25, 0)
    named = Split(rule="named", validation=("f0",))
    with pytest.raises(ImageError, match="field 'f1' and validation field 'f0' are exposures of one place"):
        split_fields(given, named, 0.1, 0)
    refuse_shared_scenes((("training", given[:4]), ("validation", given[4:])))


def test_exposures_become_repeats_of_the_first_and_copies_do_not() -> None:
    images = [exposure(light(n // 3), n) for n in range(6)]
    found = with_repeats(fields([*images, images[0]]), 2048)
    assert [field.name for field in found] == ["f0", "f3"]
    assert all(field.repeats is not None and field.repeats.shape == (2, 1, 128, 128) for field in found)
    assert with_repeats(fields(images[::3]), 2048) == ()
