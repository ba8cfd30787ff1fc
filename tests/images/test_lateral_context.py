"""Lateral context shows the surroundings of a patch about the same centre."""

from typing import Any, Literal, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import transform

from denoisplit.core.arrays import Float32Array
from denoisplit.core.errors import ImageError
from denoisplit.core.images.bases import Field
from denoisplit.core.images.conditioning import Conditioning, condition
from denoisplit.core.images.context_pyramid import context_crop, pyramid, reflected_crop
from denoisplit.core.images.degradation import Degradation
from denoisplit.core.images.fresh_noise import FreshNoise, fresh_noise
from denoisplit.core.images.mixing import Mixing, mix, mixed_image
from denoisplit.core.images.patches import PatchSampler
from tests.flipping import FLIPS


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
        return PatchSampler(fields, patch=patch, batch=5, seed=2, mixing=Mixing(), context=context)

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


def _turned(image: Float32Array, turn: int) -> Float32Array:
    """One of the eight orientations of an image [... y x]."""
    quarters = np.rot90(image, turn // 2, axes=(-2, -1))
    return np.ascontiguousarray(quarters[..., ::-1] if turn % 2 else quarters)


@pytest.mark.parametrize(
    ("shape", "patch", "turns"),
    [((70, 66), (16, 16), 8), ((61, 83), (10, 10), 8), ((3, 50, 70), (2, 16, 16), 8), ((64, 71), (8, 16), 4)],
)
def test_the_surround_of_a_turned_patch_is_that_of_the_patch_in_the_turned_image(
    shape: tuple[int, ...], patch: tuple[int, ...], turns: int
) -> None:
    counts = np.arange(2 * np.prod(shape), dtype=np.float32).reshape(2, *shape)
    batch = PatchSampler(
        [Field(name="f", observed=counts)],
        patch=patch,
        batch=40,
        seed=3,
        augmentation=FLIPS,
        mixing=Mixing(),
        context=3,
    ).batch(5)
    seen = set()
    for mixed, target in zip(batch.mixed, batch.targets, strict=True):
        for turn in range(8):
            image = _turned(counts, turn)
            corner = tuple(int(i[0]) for i in np.nonzero(image[0] == target[0].flat[0]))
            window = tuple(slice(c, c + p) for c, p in zip(corner, patch, strict=True))
            if np.array_equal(image[0][window], target[0]):
                break
        seen.add(turn)
        for scale, smaller in enumerate(pyramid(image.mean(0, keepdims=True), 3)):
            expected = context_crop(smaller, corner, patch, scale)[0]
            np.testing.assert_allclose(mixed[scale], expected, rtol=1e-5, atol=1e-2)
    assert len(seen) == turns


@settings(max_examples=20)
@given(st.integers(0, 5), st.integers(0, 5), st.integers(60, 90), st.integers(60, 90), st.integers(0, 99))
def test_the_surround_moves_with_the_image(up: int, left: int, row: int, column: int, seed: int) -> None:
    """By whole pixels of the coarsest scale, and away from the border, where less is known."""
    image = np.random.default_rng(seed).uniform(0, 1000, (1, 192, 192))
    moved = image[:, 4 * up :, 4 * left :]
    for scale, (one, other) in enumerate(zip(pyramid(image, 2), pyramid(moved, 2), strict=True)):
        here = context_crop(one, (row, column), (8, 8), scale)
        there = context_crop(other, (row - 4 * up, column - 4 * left), (8, 8), scale)
        np.testing.assert_allclose(there, here, rtol=1e-12)


def test_a_constant_image_has_a_constant_surround() -> None:
    fields = [Field(name="f", observed=np.full((2, 33, 40), 7, np.float32))]
    sampler = PatchSampler(
        fields,
        patch=(16, 16),
        batch=4,
        seed=0,
        augmentation=FLIPS,
        mixing=Mixing(mode="sum", offset=2),
        context=4,
    )
    np.testing.assert_allclose(sampler.batch(0).mixed, 12.0, rtol=1e-6)


@pytest.mark.parametrize("dependent", [True, False])
@pytest.mark.parametrize("mode", ["mean", "sum"])
def test_fresh_noise_is_the_same_in_a_patch_and_in_its_surround(
    dependent: bool, mode: Literal["mean", "sum"]
) -> None:
    """A patch that is a whole field tells what every scale of it has to be."""
    rng, sides = np.random.default_rng(0), (32, 40)
    fields = [
        Field(name=f"f{n}", observed=rng.uniform(50, 90, (2, *sides)).astype(np.float32)) for n in range(3)
    ]
    mixing = Mixing(mode=mode)
    how = Conditioning(
        degradation=Degradation(gaussian=9.0, poisson=2.0, fresh=True, dependent=dependent), mixing=mixing
    )
    sampler = PatchSampler(
        fields,
        patch=sides,
        batch=5,
        seed=0,
        mixing=mixing,
        fresh=fresh_noise(how, condition(fields, how)),
        context=2,
    )
    batch, other = sampler.batch(4), sampler.batch(5)
    for scale, expected in enumerate(pyramid(batch.mixed[:, :1], 2)):
        for item in range(5):
            crop = context_crop(expected[item], (0, 0), sides, scale)
            np.testing.assert_allclose(batch.mixed[item, scale], crop[0], rtol=1e-4)
    assert np.allclose(batch.mixed[:, :1], mix(batch.targets, mixing, axis=1), rtol=1e-4) == dependent
    np.testing.assert_array_equal(sampler.batch(4).mixed, batch.mixed)
    assert (other.mixed == batch.mixed).mean() < 0.01
    assert np.std(batch.targets) > np.hypot(9, np.std(fields[0].observed))


def test_fresh_noise_that_vanishes_leaves_turned_patches_of_all_fields() -> None:
    fields = [
        Field(name=f"f{n}", observed=np.arange(2 * rows * 50, dtype=np.float32).reshape(2, rows, 50))
        for n, rows in enumerate((63, 40, 90))
    ]

    def sampler(fresh: FreshNoise | None) -> PatchSampler:
        return PatchSampler(
            fields,
            patch=(16, 16),
            batch=9,
            seed=0,
            augmentation=FLIPS,
            mixing=Mixing(),
            fresh=fresh,
            context=3,
        )

    how = Conditioning(degradation=Degradation(gaussian=1e-3, fresh=True))
    noisy, bare = sampler(fresh_noise(how, condition(fields, how))), sampler(None)
    for step in range(3):
        np.testing.assert_allclose(noisy.batch(step).mixed, bare.batch(step).mixed, rtol=1e-5, atol=0.02)
        np.testing.assert_allclose(noisy.batch(step).targets, bare.batch(step).targets, rtol=1e-5, atol=0.02)


def test_fresh_noise_needs_fields_that_can_be_halved_too() -> None:
    fields = [Field(name="f", observed=np.ones((2, 9, 64), np.float32))]
    how = Conditioning(degradation=Degradation(gaussian=1.0, fresh=True))
    fresh = fresh_noise(how, condition(fields, how))
    with pytest.raises(ImageError, match="cannot be halved 4 times"):
        PatchSampler(fields, patch=(8, 8), batch=1, seed=0, mixing=Mixing(), fresh=fresh, context=4)
