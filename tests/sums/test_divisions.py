"""Divisions of images into blocks and into the regions of label images."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from denoisplit.core.arrays import Float64Array
from denoisplit.core.errors import ImageError
from denoisplit.core.images.lazy import LazyPixels
from denoisplit.core.sums.divisions import block_division, label_divisions


@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 20), st.integers(1, 20)),
    side=st.integers(1, 6),
    planar=st.booleans(),
)
@settings(max_examples=50)
def test_blocks_are_whole_squares_within_planes(shape: tuple[int, ...], side: int, planar: bool) -> None:
    shape = shape[1:] if planar else shape
    found = block_division(shape, side)
    y, x = shape[-2] // side, shape[-1] // side
    if not x * y:
        assert found is None
        return
    assert found is not None
    assert found.count == math.prod(shape[:-2]) * y * x
    assert set(found.pixels) == {side * side}
    image = np.random.default_rng(0).random((2, *shape))
    cut = image[..., : y * side, : x * side]
    expected = cut.reshape(2, *shape[:-2], y, side, x, side).sum(axis=(-3, -1)).reshape(2, -1)
    np.testing.assert_allclose(found.sums(image), expected)


def test_an_image_without_cells_has_no_regions() -> None:
    assert label_divisions(np.zeros((3, 4, 5), np.uint8), (3,), (4, 5), "here") == (None, None, None)


def test_labels_are_regions_and_zero_is_none() -> None:
    labels = np.array([[0, 7, 7], [3, 0, 7]], dtype=np.uint16)
    (found,) = label_divisions(labels, (), (2, 3), "here")
    assert found is not None
    assert found.labels == (3, 7)
    np.testing.assert_array_equal(found.pixels, [1, 3])
    np.testing.assert_array_equal(found.sums(np.arange(6.0).reshape(1, 2, 3)), [[3, 1 + 2 + 5]])
    (everywhere,) = label_divisions(labels + 1, (), (2, 3), "here")
    assert everywhere is not None
    np.testing.assert_array_equal(everywhere.pixels, [2, 1, 3])


@pytest.mark.parametrize(
    ("shape", "positions", "plane"),
    [
        ((4, 5), (), (4, 5)),
        ((3, 4, 5), (3,), (4, 5)),
        ((2, 3, 4, 5), (2, 3), (4, 5)),
        ((1, 3, 4, 5), (1, 3), (4, 5)),
        ((3, 4, 5), (1, 3), (4, 5)),
        ((3, 4, 5), (), (3, 4, 5)),
        ((2, 3, 4, 5), (2,), (3, 4, 5)),
        ((2, 4, 5), (2,), (1, 4, 5)),
        ((2, 1, 4, 5), (2,), (1, 4, 5)),
    ],
    ids=str,
)
def test_every_position_has_the_labels_that_lie_there(
    shape: tuple[int, ...], positions: tuple[int, ...], plane: tuple[int, ...]
) -> None:
    """In memory, and where they are read in parts."""
    labels = np.random.default_rng(0).choice([0, 2, 3, 70], shape).astype(np.uint8)
    image = np.random.default_rng(1).random((2, *shape))
    lazy = LazyPixels(shape=shape, dtype=labels.dtype, read=labels.__getitem__, source="labels")
    parts = labels.reshape(-1, *plane), image.reshape(2, -1, *plane)
    for given_labels in (labels, lazy):
        found = label_divisions(given_labels, positions, plane, "here")
        assert len(found) == math.prod(positions)
        for number, division in enumerate(found):
            there, pixels = parts[0][number], parts[1][:, number]
            assert division is not None
            assert division.labels == (2, 3, 70)
            expected = [pixels[:, there == label].sum(axis=1) for label in division.labels]
            np.testing.assert_allclose(division.sums(pixels), np.transpose(expected))
            stack = there.reshape(-1, *there.shape[-2:])
            planes = [(stack == label).any(axis=(1, 2)).sum() for label in division.labels]
            np.testing.assert_array_equal(division.planes, planes)


@pytest.mark.parametrize(
    "shape", [(3, 4, 5), (1, 3, 4, 5), (4, 5), (1, 1, 4, 5)], ids=["image", "with t", "plane", "flat"]
)
def test_labels_of_one_plane_serve_for_all(shape: tuple[int, ...]) -> None:
    labels = np.zeros(shape, dtype=np.uint8)
    labels[..., 1:3, 2] = 6
    found = label_divisions(labels, (1, 3), (4, 5), "here")
    assert len(found) == 3
    for division in found:
        assert division is not None
        assert (division.labels, division.pixels.tolist()) == ((6,), [2])


def test_a_plane_without_regions_has_no_rows() -> None:
    labels = np.zeros((3, 4, 5), dtype=np.uint8)
    labels[1, 0, 0] = 9
    first, second, third = label_divisions(labels, (3,), (4, 5), "here")
    assert first is None
    assert third is None
    assert second is not None


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (
            np.ones((5, 4)),
            r"here: labels must have the shape of the image .*\(got \(5, 4\), not \(3, 4, 5\)\)",
        ),
        (np.ones((2, 4, 5)), "here: labels must have the shape of the image"),
        (np.full((4, 5), 0.5), "here: labels must be whole numbers"),
        (np.full((4, 5), np.nan), "here: labels must be whole numbers"),
        (np.full((4, 5), -1), "smallest -1"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels: Float64Array, said: str) -> None:
    with pytest.raises(ImageError, match=said):
        label_divisions(labels, (3,), (4, 5), "here")
