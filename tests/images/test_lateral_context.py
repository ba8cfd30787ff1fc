"""Lateral context shows the surroundings of a patch about the same centre."""

from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import transform

from denoisplit.core.errors import ImageError
from denoisplit.core.images.conditioning import Conditioning, condition
from denoisplit.core.images.degradation import Degradation
from denoisplit.core.images.fresh_noise import fresh_noise
from denoisplit.core.images.interfaces import Field
from denoisplit.core.images.lateral_context import context_crop, pyramid, reflected_crop
from denoisplit.core.images.mixing import Mixing, mixed_image
from denoisplit.core.images.patches import PatchSampler


@settings(max_examples=25)
@given(st.integers(2, 40), st.integers(2, 40), st.integers(0, 99))
def test_halving_is_the_resize_of_another_library(rows: int, columns: int, seed: int) -> None:
    image = np.random.default_rng(seed).uniform(0, 1000, (2, rows, columns))
    half, resize = (rows // 2, columns // 2), cast(Any, transform).resize
    expected = [resize(plane, half, order=1, mode="reflect", anti_aliasing=True) for plane in image]
    np.testing.assert_allclose(pyramid(image, 1)[1], expected, rtol=1e-9, atol=1e-9)


def test_a_constant_image_stays_constant_and_depth_is_kept() -> None:
    scales = pyramid(np.full((1, 5, 24, 17), 7.0, np.float32), 3)
    assert [scale.shape for scale in scales] == [(1, 5, 24, 17), (1, 5, 12, 8), (1, 5, 6, 4), (1, 5, 3, 2)]
    assert all(np.allclose(scale, 7) and scale.dtype == np.float32 for scale in scales)


def test_an_image_too_small_is_refused() -> None:
    with pytest.raises(ImageError, match=r"halved 3 times \(got \(30, 7\)\)"):
        pyramid(np.zeros((1, 30, 7)), 3)
    with pytest.raises(ImageError, match="outside of the image"):
        reflected_crop(np.zeros((1, 9, 9)), (9, 0), (4, 4))


@given(st.integers(-6, 12), st.integers(-6, 12), st.integers(1, 9))
def test_a_crop_inside_is_a_window_and_outside_reflects_its_part(row: int, column: int, side: int) -> None:
    image = np.arange(13 * 14).reshape(1, 13, 14)
    if row + side <= 0 or column + side <= 0:
        return
    crop = reflected_crop(image, (row, column), (side, side))
    assert crop.shape == (1, side, side)
    inside = image[:, max(0, row) : row + side, max(0, column) : column + side]
    top, left = max(0, -row), max(0, -column)
    np.testing.assert_array_equal(crop[:, top : top + inside.shape[1], left : left + inside.shape[2]], inside)
    assert set(crop.ravel()) == set(inside.ravel())


def test_every_scale_shows_the_same_centre() -> None:
    """On an image that is its own row coordinate, the middle of a patch tells where it lies."""
    row = np.broadcast_to(np.arange(256.0)[:, None], (256, 256))[None]
    scales = pyramid(np.ascontiguousarray(row), 3)
    for corner in ((100, 96), (101, 96), (117, 96)):
        for number, scale in enumerate(scales):
            middle = context_crop(scale, corner, (16, 16), number)[0, 7:9].mean()
            # The centre of scale m is known to one of its pixels.
            assert -(2**number) < middle - (corner[0] + 7.5) <= 0.01


@pytest.mark.parametrize("degradation", [Degradation(), Degradation(gaussian=3.0, dependent=False)])
@pytest.mark.parametrize("shape", [(70, 66), (3, 70, 66)])
def test_the_sampler_adds_the_surroundings_of_every_patch(
    degradation: Degradation, shape: tuple[int, ...]
) -> None:
    counts = np.arange(2 * np.prod(shape), dtype=np.float32).reshape(2, *shape)
    fields = condition([Field(name="f", observed=counts)], Conditioning(degradation=degradation)).fields
    patch = (*shape[:-2], 16, 16)

    def sampler(context: int) -> PatchSampler:
        return PatchSampler(
            fields, patch=patch, batch=5, seed=2, augment=False, mixing=Mixing(), context=context
        )

    batch, bare = sampler(2).batch(11), sampler(0).batch(11)
    assert batch.mixed.shape == (5, 3, *patch)
    np.testing.assert_array_equal(batch.mixed[:, :1], bare.mixed)
    np.testing.assert_array_equal(batch.targets, bare.targets)
    scales = pyramid(mixed_image(fields[0], Mixing()), 2)
    for item in range(5):
        place = np.flatnonzero(fields[0].observed[0] == batch.targets[item, 0].flat[0])
        corner = np.unravel_index(int(place[0]), shape)
        for scale in (1, 2):
            expected = context_crop(scales[scale], [int(c) for c in corner], patch, scale)
            np.testing.assert_allclose(batch.mixed[item, scale], expected[0], rtol=1e-5, atol=1e-2)


def test_lateral_context_goes_with_neither_turns_nor_fresh_noise() -> None:
    fields = [Field(name="f", observed=np.ones((2, 64, 64), np.float32))]
    how = Conditioning(degradation=Degradation(gaussian=1.0, fresh=True))
    fresh = fresh_noise(how, condition(fields, how))
    for augment, noise in ((True, None), (False, fresh)):
        with pytest.raises(ImageError, match="lateral context goes with neither"):
            PatchSampler(
                fields,
                patch=(8, 8),
                batch=1,
                seed=0,
                augment=augment,
                mixing=Mixing(),
                fresh=noise,
                context=1,
            )
