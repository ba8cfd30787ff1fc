"""What stands for images that are not in memory."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from denoisplit.core.arrays import Float32Array
from denoisplit.core.images import block_walks
from denoisplit.core.images.block_walks import picture, thinned
from denoisplit.core.images.lazy import LazyPixels

SIDES = st.integers(1, 40)


@pytest.fixture(scope="module", autouse=True)
def small_blocks() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(block_walks, "BLOCK_PIXELS", 13)
        patch.setattr(block_walks, "PICTURE", 7)
        yield


def noise(*shape: int) -> Float32Array:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def lazily(image: Float32Array) -> LazyPixels:
    return LazyPixels(shape=image.shape, dtype=image.dtype, read=image.__getitem__, source="test")


@given(st.lists(SIDES, min_size=1, max_size=3), st.integers(1, 200))
def test_pixels_are_thinned_in_their_order(shape: list[int], count: int) -> None:
    image = noise(*shape)
    expected = image.reshape(-1)[:: max(1, image.size // count)]
    np.testing.assert_array_equal(thinned(lazily(image), count), expected)
    np.testing.assert_array_equal(thinned(image, count), expected)


@given(st.tuples(SIDES, SIDES), st.integers(0, 5))
def test_a_picture_has_every_so_many_pixels_of_the_middle_plane(sides: tuple[int, int], depth: int) -> None:
    image = noise(*((depth,) if depth else ()), *sides)
    plane = image[depth // 2] if depth else image
    step = -(-max(sides) // 7)
    np.testing.assert_array_equal(picture(lazily(image)), plane[::step, ::step])
    assert picture(image) is image
