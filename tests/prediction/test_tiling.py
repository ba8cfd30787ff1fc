"""Geometry of tiles."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from denoisplit.core.prediction.tiles.memory import largest_tile
from denoisplit.core.prediction.tiles.tiling import Clipped, canvas_shape, pad_to_canvas, plan_tiles

axis = st.tuples(st.integers(1, 90), st.integers(1, 5), st.integers(0, 4), st.sampled_from([1, 2, 4, 8]))


@settings(max_examples=100)
@given(axes=st.lists(axis, min_size=1, max_size=3))
def test_tiles_keep_every_pixel_once_and_see_their_halo(axes: list[tuple[int, int, int, int]]) -> None:
    shape, tiles, halos, stride = zip(*axes, strict=True)
    side = tuple(t * s for t, s in zip(tiles, stride, strict=True))
    halo = tuple(h * s for h, s in zip(halos, stride, strict=True))
    canvas = canvas_shape(shape, stride)
    kept = np.zeros(shape, dtype=int)
    seen = np.arange(np.prod(canvas)).reshape(canvas)
    for tile in plan_tiles(shape, tile=side, around=Clipped(halo=halo, stride=stride, canvas=canvas)):
        kept[tile.inner.slices] += 1
        for k in range(len(shape)):
            low, high = tile.outer.start[k], tile.outer.stop[k]
            assert low % stride[k] == high % stride[k] == 0
            assert low == 0 or tile.inner.start[k] - low == halo[k]
            assert high == canvas[k] or high - tile.inner.stop[k] >= halo[k]
            assert 0 <= low <= tile.inner.start[k] < tile.inner.stop[k] <= high <= canvas[k]
        outer = seen[tile.outer.slices]
        np.testing.assert_array_equal(outer[tile.inner.within(tile.outer)], seen[tile.inner.slices])
    assert (kept == 1).all()


@given(shape=st.lists(st.integers(1, 20), min_size=2, max_size=3), side=st.sampled_from([1, 4, 16]))
def test_padding_adds_mirrored_pixels_at_the_far_side_only(shape: list[int], side: int) -> None:
    image = np.random.default_rng(0).normal(size=shape)
    stride = (side,) * len(shape)
    padded = pad_to_canvas(image, stride)
    assert padded.shape == canvas_shape(shape, stride)
    assert all(n % side == 0 for n in padded.shape)
    # Position p of a mirrored axis of n pixels shows pixel |((p + n - 1) mod (2n - 2)) - (n - 1)|.
    index = []
    for n, have in zip(shape, padded.shape, strict=True):
        p = np.arange(have)
        index.append(np.abs((p + n - 1) % max(1, 2 * n - 2) - (n - 1)) if n > 1 else 0 * p)
    np.testing.assert_array_equal(padded, image[np.ix_(*index)])


def test_tile_and_halo_have_to_fit_the_stride() -> None:
    with pytest.raises(ValueError, match="tile must be a multiple"):
        plan_tiles((64,), tile=(12,), around=Clipped(halo=(8,), stride=(8,), canvas=(64,)))
    with pytest.raises(ValueError, match="halo must be a multiple"):
        plan_tiles((64,), tile=(16,), around=Clipped(halo=(3,), stride=(8,), canvas=(64,)))
    with pytest.raises(ValueError, match="shape must be at least 1"):
        plan_tiles((0,), tile=(16,), around=Clipped(halo=(8,), stride=(8,), canvas=(0,)))


@settings(max_examples=60)
@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 2000), st.integers(1, 2000)),
    pixels=st.integers(1, 10**6),
)
def test_largest_tile_fits_the_memory_or_is_as_small_as_the_halo(shape: tuple[int, ...], pixels: int) -> None:
    stride, halo = (2, 16, 16), (4, 96, 96)
    tile = largest_tile(shape, halo=halo, stride=stride, pixels=pixels)
    canvas = canvas_shape(shape, stride)
    area = np.prod([min(t + 2 * h, n) for t, h, n in zip(tile, halo, canvas, strict=True)])
    assert all(t % s == 0 for t, s in zip(tile, stride, strict=True))
    assert area <= pixels or all(t <= max(h, 16) for t, h in zip(tile, (96,) * 3, strict=True))


def test_largest_tile_uses_the_memory() -> None:
    """1024 pixels in 3 tiles of 352: 600 - 2 * 96 = 408 is enough for that, but not for 2 tiles of 512."""
    tile = largest_tile((1024, 1024), halo=(96, 96), stride=(16, 16), pixels=600 * 600)
    assert tile == (352, 352)
