"""Lazy pixels are the array that they stand for, and only what is asked for is read."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from denoisplit.core.arrays import AnyArray, Window
from denoisplit.core.errors import ImageError
from denoisplit.core.images.bases import Image, PixelSize, TimeInterval
from denoisplit.core.images.block_walks import pieces
from denoisplit.core.images.derived_images import rearranged, stacked
from denoisplit.core.images.io import iterate_planes
from denoisplit.core.images.lazy import LazyPixels, mapped


def lazily(array: AnyArray, seen: list[int] | None = None) -> LazyPixels:
    def read(region: Window) -> AnyArray:
        found = array[region]
        if seen is not None:
            seen.append(found.size)
        return found

    return LazyPixels(shape=array.shape, dtype=array.dtype, read=read, source="a.tif")


def places(side: int) -> st.SearchStrategy[Any]:
    ends = st.none() | st.integers(-side - 1, side + 1)
    steps = st.sampled_from([None, 1, 2, 3, -1, -2])
    return st.integers(-side, side - 1) | st.builds(slice, ends, ends, steps)


@settings(max_examples=60)
@given(st.data(), st.lists(st.integers(1, 5), min_size=1, max_size=4).map(tuple))
def test_indexing_is_that_of_numpy(data: st.DataObject, shape: tuple[int, ...]) -> None:
    array = np.arange(np.prod(shape), dtype=">i4").reshape(shape)
    key = tuple(data.draw(places(side)) for side in shape[: data.draw(st.integers(0, len(shape)))])
    if data.draw(st.booleans()):
        key = (*key, ...)
    found = lazily(array)[key]
    np.testing.assert_array_equal(found, array[key])
    assert found.dtype == np.dtype("=i4")


@settings(max_examples=30)
@given(st.permutations(range(4)), st.data())
def test_another_order_of_axes_is_that_of_numpy(order: list[int], data: st.DataObject) -> None:
    array = np.arange(120).reshape(2, 3, 4, 5)
    turned = rearranged(lazily(array), [*order, None])
    expected = array.transpose(order)[..., None]
    assert isinstance(turned, LazyPixels)
    key = tuple(data.draw(places(side)) for side in expected.shape)
    np.testing.assert_array_equal(turned[key], expected[key])
    np.testing.assert_array_equal(np.asarray(rearranged(array, [*order, None])), expected)


def test_arrays_of_one_kind_become_one_and_files_are_mapped(tmp_path: Path) -> None:
    array = np.arange(24, dtype=">u2").reshape(4, 6)
    (tmp_path / "a.raw").write_bytes(b"head" + array.tobytes())
    one = mapped(tmp_path / "a.raw", shape=(4, 6), dtype=array.dtype, offset=4)
    both = stacked([one, one])
    np.testing.assert_array_equal(both[:, 1:3, ::2], np.stack([array, array])[:, 1:3, ::2])
    (tmp_path / "a.raw").write_bytes(b"head")
    with pytest.raises(ImageError, match=r"a\.raw: not a readable image file"):
        one[0]


def test_only_the_region_is_read() -> None:
    seen: list[int] = []
    array = np.arange(2 * 3 * 50 * 60, dtype=np.uint16).reshape(2, 3, 50, 60)
    planes = iterate_planes(Image(data=lazily(array, seen), axes="zcyx"), 2)
    assert (planes.leading, planes.shape, planes.plane_shape) == ("z", (2,), (3, 50, 60))
    region = (slice(10, 14), slice(20, 25))
    np.testing.assert_array_equal(planes.read((1,), (slice(None), *region)), array[1, :, 10:14, 20:25])
    assert seen == [3 * 4 * 5]


def test_planes_keep_the_time_interval() -> None:
    image = Image(
        data=np.zeros((2, 3, 4)),
        axes="tyx",
        pixel_size=PixelSize((1, 2)),
        time_interval=TimeInterval(3, "min"),
    )
    whole = iterate_planes(image, 2).assemble([np.zeros((1, 3, 4), np.float32)] * 2, ("a",))
    assert whole.time_interval == TimeInterval(3, "min")


@settings(max_examples=30)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=4).map(tuple), st.integers(1, 64))
def test_pieces_cover_an_array_once_and_stay_small(shape: tuple[int, ...], most: int) -> None:
    regions = list(pieces(shape, most))
    count = np.zeros(shape, int)
    for region in regions:
        count[region] += 1
        assert count[region].size <= most
    assert (count == 1).all()
