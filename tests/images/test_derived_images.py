"""What is made of images that are not in memory is what is made of the same pixels in an array."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from denoisplit.core.arrays import AnyArray, Float32Array
from denoisplit.core.images import derived_images as made_of
from denoisplit.core.images.lazy import LazyArray, LazyPixels, is_lazy

MADE: dict[str, tuple[Callable[[LazyArray], LazyArray], Callable[[Float32Array], AnyArray]]] = {
    "window": (lambda a: made_of.window(a, (slice(1, 2), slice(2, None))), lambda a: a[1:2, 2:]),
    "channel": (lambda a: made_of.channel_of(a, 1), lambda a: a[1:2]),
    "first": (lambda a: made_of.first_of(made_of.channel_of(a, 1)), lambda a: a[1]),
    "turned": (lambda a: made_of.rearranged(a, [2, None, 0, 1]), lambda a: a.transpose(2, 0, 1)[:, None]),
    "stacked": (lambda a: made_of.stacked([a, a]), lambda a: np.stack([a, a])),
    "padded": (
        lambda a: made_of.padded(a, (4, 5, 9)),
        lambda a: np.pad(a, ((0, 2), (0, 0), (0, 3)), "reflect"),
    ),
    "sum": (lambda a: made_of.elementwise(np.add, a, a), lambda a: a + a),
    "whole": (
        lambda a: made_of.elementwise(lambda p: p.astype(np.int16), a, dtype=np.dtype(np.int16)),
        lambda a: a.astype(np.int16),
    ),
    "lowered": (lambda a: made_of.across_channels(a, lambda p: p - p.mean(0)), lambda a: a - a.mean(0)),
    "mean": (
        lambda a: made_of.across_channels(a, lambda p: p.mean(1, keepdims=True), axis=1, channels=1),
        lambda a: a.mean(1, keepdims=True),
    ),
    "zeros": (made_of.zeros_like, np.zeros_like),
}


@pytest.mark.parametrize("what", MADE)
@given(data=st.data())
def test_any_window_is_that_of_the_array(what: str, data: st.DataObject) -> None:
    array = np.random.default_rng(0).normal(50, 20, (2, 5, 6)).astype(np.float32)
    lazy = LazyPixels(shape=array.shape, dtype=array.dtype, read=array.__getitem__, source="a.tif")
    make, expected = MADE[what][0], MADE[what][1](array)
    found = make(lazy)
    assert is_lazy(found)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    place = tuple(
        slice(low := data.draw(st.integers(0, side - 1)), data.draw(st.integers(low + 1, side)))
        for side in expected.shape
    )
    np.testing.assert_array_equal(found[place], expected[place])
    np.testing.assert_array_equal(make(array), expected)


@pytest.mark.parametrize("what", ["window", "channel", "first", "turned"])
def test_of_an_array_a_view_is_made_where_no_pixel_changes(what: str) -> None:
    array = np.zeros((2, 5, 6), np.float32)
    found = MADE[what][0](array)
    assert isinstance(found, np.ndarray)
    assert np.shares_memory(found, array)
