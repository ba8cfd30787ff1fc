"""The tiles of the reference procedure, in any dimension."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.reference_tiling import ReferenceGrid

AXIS = st.tuples(st.integers(1, 5), st.integers(0, 5), st.integers(8, 17))


@given(st.lists(AXIS, min_size=2, max_size=3), st.integers(1, 3))
def test_stitching_the_tiles_of_an_image_gives_its_covered_part(
    axes: list[tuple[int, int, int]], frames: int
) -> None:
    shape = tuple(size for _, _, size in axes)
    grid = ReferenceGrid(
        frames=frames,
        shape=shape,
        patch=tuple(cell + margin for cell, margin, _ in axes),
        grid=tuple(cell for cell, _, _ in axes),
    )
    images = np.arange(1, 1 + frames * 2 * np.prod(shape)).reshape(frames, 2, *shape)
    stitched = grid.stitch([grid.tile(images, item) for item in range(len(grid))])
    covered = tuple(slice(0, size // cell * cell) for cell, _, size in axes)
    window = (slice(None), slice(None), *covered)
    np.testing.assert_array_equal(stitched[window], images[window])
    assert np.count_nonzero(stitched) == stitched[window].size


def test_what_a_grid_cannot_do_is_refused() -> None:
    grid = ReferenceGrid(frames=1, shape=(9, 9), patch=(4, 4), grid=(2, 2), alignment="left_top")
    assert grid.cells == (3, 3)
    assert grid.corner(4) == (2, 2)
    with pytest.raises(ValueError, match="alignment 'centre'"):
        grid.stitch(np.zeros((9, 1, 4, 4)))
    with pytest.raises(IndexError, match="item 9 of a grid of 9"):
        grid.cell(9)
    with pytest.raises(ValueError, match="grid must be"):
        ReferenceGrid(frames=1, shape=(9, 9), patch=(4, 4), grid=(5, 4))
    small = ReferenceGrid(frames=1, shape=(2, 9), patch=(4, 4), grid=(2, 2), alignment="left_top")
    assert len(small) == 0
