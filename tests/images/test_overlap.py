"""Images that share pixels are found whatever part of each other they are, and others are not."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from denoisplit.core.arrays import Float32Array
from denoisplit.core.errors import ImageError
from denoisplit.core.images import block_hashes
from denoisplit.core.images.bases import Field
from denoisplit.core.images.data_fingerprint import array_fingerprint, assert_disjoint, data_fingerprint
from denoisplit.core.images.lazy import LazyPixels
from denoisplit.core.images.overlap import Overlap, first_overlap, kept_blocks, rarity_of

SIDE = 96
LEAST = 32


def find_overlap(splits: Mapping[str, Sequence[Field]]) -> Overlap | None:
    rarity = rarity_of([field for fields in splits.values() for field in fields])
    blocks = {name: kept_blocks(fields, rarity) for name, fields in splits.items()}
    return first_overlap(blocks, {name: [one.name for one in fields] for name, fields in splits.items()})


def noise(seed: int, shape: tuple[int, ...] = (2, SIDE, SIDE), counts: float = 20) -> Float32Array:
    """What a camera gives: whole numbers that repeat all the time, in a pattern that never does."""
    return np.random.default_rng(seed).poisson(counts, shape).astype(np.float32)


def overlap(one: Float32Array, other: Float32Array, **known: Any) -> tuple[int, int] | None:
    found = find_overlap(
        {"train": [Field(name="a", observed=one)], "test": [Field(name="b", observed=other, **known)]}
    )
    return None if found is None else found.shift


@settings(max_examples=40, deadline=None)
@given(st.data(), st.integers(0, 1000))
def test_two_crops_of_one_image_are_found_wherever_they_overlap(data: st.DataObject, seed: int) -> None:
    image = noise(seed)
    windows, corners = [], []
    shared = [data.draw(st.integers(0, SIDE - LEAST)) for _ in range(2)]
    for _ in range(2):
        corner = [data.draw(st.integers(0, first)) for first in shared]
        end = [data.draw(st.integers(first + LEAST, SIDE)) for first in shared]
        corners.append(corner)
        windows.append(image[:, corner[0] : end[0], corner[1] : end[1]].copy())
    (y, x), (v, u) = corners
    # A pixel at (r, c) of the image is at (r - y, c - x) of the first crop.
    assert overlap(*windows) == (y - v, x - u)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([0.3, 2.0, 20.0]))
def test_other_images_of_the_same_camera_are_not(seed: int, counts: float) -> None:
    assert overlap(noise(2 * seed, counts=counts), noise(2 * seed + 1, counts=counts)) is None


@pytest.mark.parametrize("value", [0, 4095])
def test_dark_and_saturated_areas_are_alike_in_all_images(value: int) -> None:
    one, other = noise(1), noise(2)
    one[:, 10:80, 5:90] = other[:, 3:73, 8:93] = value
    # A few hot pixels and an edge of the same shape make no common image either.
    one[:, 20:70:16, 20:70:16] = other[:, 13:63:16, 23:73:16] = value + 1
    assert overlap(one, other) is None


def test_patterns_that_repeat_are_not_taken_for_an_overlap() -> None:
    stripes = np.tile(np.arange(16, dtype=np.float32), (SIDE, SIDE // 16))
    tiles = np.tile(noise(3, (16, 16)), (SIDE // 16, SIDE // 16))
    for image in (stripes, tiles):
        assert (
            overlap(image[None], image[None, ::-1] if image is stripes else np.roll(image, 5, 1)[None])
            is None
        )


def spots(seed: int, *, width: float, count: int, side: int = SIDE) -> Float32Array:
    """What a simulation without noise gives: spots on a constant ground, the same wherever one is alone."""
    rng = np.random.default_rng(seed)
    image = np.zeros((1, side, side), np.float32)
    image[0, rng.integers(0, side, count), rng.integers(0, side, count)] = 1
    return gaussian_filter(image, (0, width, width)) * 1000 + 100


@pytest.mark.parametrize(("width", "count"), [(1.0, 10), (1.5, 30), (3.0, 3)])
def test_clean_spots_in_many_fields_are_no_overlap(width: float, count: int) -> None:
    for seed in range(0, 18, 6):
        images = [spots(seed + n, width=width, count=count) for n in range(6)]
        fields = [Field(name=f"f{n}", observed=image) for n, image in enumerate(images)]
        assert find_overlap({"train": fields[:4], "validation": fields[4:]}) is None
    whole = spots(99, width=width, count=30 * 16, side=4 * SIDE)
    assert overlap(whole[:, :300], whole[:, 100:, 50:]) == (-100, -50)


def test_clean_references_and_recorded_mixed_images_count_and_so_do_planes_of_stacks() -> None:
    one = Field(name="a", observed=noise(4), clean=noise(5))
    again = Field(name="b", observed=noise(6), clean=noise(5))
    found = find_overlap({"train": [one], "validation": [], "test": [again]})
    assert found is not None
    assert (found.first, found.second) == (("train", "a"), ("test", "b"))
    mixed = noise(7, (1, SIDE, SIDE))
    assert overlap(mixed[:, 5:], noise(8, (2, SIDE, SIDE)), mixed=mixed) == (5, 0)
    stack = noise(9, (1, 4, 48, 48))
    assert overlap(stack[:, :2], stack[:, 1:, 8:]) == (-8, 0)
    assert overlap(stack[:, :2], stack[:, 2:]) is None


def test_an_image_that_serves_in_many_fields_is_still_found() -> None:
    clean = noise(10)
    fields = [Field(name=f"f{n}", observed=noise(11 + n), clean=clean) for n in range(14)]
    assert find_overlap({"train": fields[:12], "validation": fields[12:]}) is not None


def test_overlapping_fields_in_two_splits_are_refused_in_one_line() -> None:
    image = noise(12)
    train = [Field(name="a", observed=noise(13)), Field(name="b", observed=image[:, :60])]
    crop = Field(name="crop", observed=image[:, 20:, 7:])
    with pytest.raises(ImageError, match=r"train field 'b' and validation field 'crop' show the same pixels"):
        assert_disjoint(train, [crop])
    assert_disjoint(train, [Field(name="c", observed=image[:, 60:])])


def test_the_number_of_kept_blocks_goes_with_the_pixels() -> None:
    """One of 32 blocks: the binomial spread of 250 000 of them is 0.04 %."""
    kept = kept_blocks([Field(name="a", observed=noise(14, (1, 507, 507)))])
    assert kept.hashes.size == pytest.approx(500 * 500 / 32, rel=0.06)
    assert kept_blocks([Field(name="tiny", observed=noise(15, (2, 7, 90)))]).hashes.size == 0


def test_a_crop_keeps_the_blocks_of_the_image_across_tiles_and_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Images larger than the tiles that are hashed together, in memory and band by band."""
    monkeypatch.setattr(block_hashes, "BLOCK_PIXELS", 13 * 900)
    image = noise(19, (1, 230, 900))
    lazily = LazyPixels(shape=image.shape, dtype=image.dtype, read=image.__getitem__, source="a")
    whole, banded = (block_hashes.kept_of_image(one, 8) for one in (image, lazily))
    top, left, height, width = 77, 311, 131, 402
    crop = block_hashes.kept_of_image(image[:, top : top + height, left : left + width], 8)
    inside = (whole.rows >= top) & (whole.rows <= top + height - block_hashes.BLOCK)
    inside &= (whole.columns >= left) & (whole.columns <= left + width - block_hashes.BLOCK)
    assert crop.hashes.size > 5000
    for found, expected in (
        ((banded.hashes, banded.rows, banded.columns), (whole.hashes, whole.rows, whole.columns)),
        (
            (crop.hashes, crop.rows + top, crop.columns + left),
            (whole.hashes[inside], whole.rows[inside], whole.columns[inside]),
        ),
    ):
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other)


def test_rows_are_seen_once_and_in_their_order_on_the_way() -> None:
    image, rows = noise(20, (2, 3, 50, 40)), []
    block_hashes.kept_of_image(image, 32, lambda pixels: rows.append(pixels.copy()))
    np.testing.assert_array_equal(np.concatenate(rows).reshape(image.shape), image)


def test_hot_pixels_at_the_same_places_of_dark_images_are_those_of_the_camera() -> None:
    hot = np.zeros((1, SIDE, SIDE), dtype=np.float32)
    hot[0].flat[np.random.default_rng(16).choice(SIDE**2, 400, replace=False)] = 60
    one, other = hot.copy(), hot.copy()
    one[0, :, :20], other[0, :, -20:] = noise(17)[0, :, :20], noise(18)[0, :, :20]
    assert overlap(one, other) is None


def test_fields_without_common_pixels_come_back_with_their_fingerprints() -> None:
    learnt = [Field(name="a", observed=noise(21), clean=noise(22)), Field(name="b", observed=noise(23))]
    held, tested = Field(name="c", observed=noise(24)), Field(name="d", observed=noise(25))
    found = assert_disjoint(learnt, [held], [tested])
    assert found.fingerprint == data_fingerprint(learnt)
    assert found.served.training == tuple(array_fingerprint(noise(seed)) for seed in (21, 22, 23))
    assert found.served.held_out == (array_fingerprint(noise(24)),)
    assert found.served.use_of(held) == "held out"
    assert found.served.use_of(tested) == ""
