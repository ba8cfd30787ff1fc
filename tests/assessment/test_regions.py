"""Sums over regions: joint samples know their error, the std of pixels alone does not."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from scipy.stats import norm

from denoisplit.core.arrays import Float64Array
from denoisplit.core.assessment.region_reliability import RegionReliability, region_reliability
from denoisplit.core.assessment.regions import (
    RegionErrors,
    block_regions,
    label_regions,
    samples_needed,
)
from denoisplit.core.errors import ImageError
from tests.summing import region_sums

LEVELS = (0.5, 0.68, 0.9, 0.95)


@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 20), st.integers(1, 20)),
    side=st.integers(1, 6),
    planar=st.booleans(),
)
@settings(max_examples=50)
def test_blocks_are_whole_squares_within_planes(shape: tuple[int, ...], side: int, planar: bool) -> None:
    shape = shape[1:] if planar else shape
    found = block_regions(shape, side)
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


def test_labels_are_regions_and_zero_is_none() -> None:
    labels = np.array([[0, 7, 7], [3, 0, 7]], dtype=np.uint16)
    found = label_regions(labels, (2, 3), "here")
    assert found is not None
    np.testing.assert_array_equal(found.pixels, [1, 3])
    np.testing.assert_array_equal(found.sums(np.arange(6.0).reshape(1, 2, 3)), [[3, 1 + 2 + 5]])
    everywhere = label_regions(labels + 1, (2, 3), "here")
    assert everywhere is not None
    np.testing.assert_array_equal(everywhere.pixels, [2, 1, 3])
    assert label_regions(np.zeros((2, 3)), (2, 3), "here") is None


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (np.zeros((3, 2)), r"here: labels must have the shape of the field \(got \(3, 2\), not \(2, 3\)\)"),
        (np.full((2, 3), 0.5), "here: labels must be whole numbers"),
        (np.full((2, 3), np.nan), "here: labels must be whole numbers"),
        (np.full((2, 3), -1), "smallest -1"),
    ],
)
def test_labels_that_are_none_are_refused(labels: Float64Array, said: str) -> None:
    with pytest.raises(ImageError, match=said):
        label_regions(labels, (2, 3), "here")


def _drawn(samples: int, shape: tuple[int, ...], *, blur: float, seed: int) -> Float64Array:
    """Images [s 1 y x] of unit variance whose pixels go together within ``blur``."""
    white = np.random.default_rng(seed).normal(size=(samples, 1, *shape))
    smooth: Float64Array = gaussian_filter(white, (0, 0, blur, blur), mode="wrap")
    return smooth * 2 * blur * math.sqrt(math.pi)


def _assess(
    samples: Float64Array, truth: Float64Array, *, tile: int, calibrated: Float64Array | None = None
) -> tuple[RegionErrors, ...]:
    """Stream the samples tile by tile, as a prediction does."""
    shape = truth.shape[1:]
    regions = [found for side in (4, 16, 64) if (found := block_regions(shape, side))]
    edges = [[*range(0, side, tile), side] for side in shape]
    places = [
        (slice(top, bottom), slice(left, right))
        for top, bottom in pairwise(edges[0])
        for left, right in pairwise(edges[1])
    ]
    return region_sums(regions, samples, places).errors(
        samples.mean(axis=0), samples.std(axis=0, ddof=1), truth, calibrated
    )


def test_tiles_change_nothing() -> None:
    samples, truth = _drawn(20, (40, 70), blur=2, seed=1), _drawn(1, (40, 70), blur=2, seed=2)[0]
    whole, tiled = (_assess(samples, truth, tile=tile) for tile in (100, 13))
    for one, other in zip(whole, tiled, strict=True):
        np.testing.assert_allclose(one.error, other.error, rtol=1e-9, atol=1e-9)
        for how, predicted in one.predictions.items():
            np.testing.assert_allclose(predicted.variance, other.predictions[how].variance, rtol=1e-9)
            for level, inside in predicted.inside.items():
                np.testing.assert_array_equal(inside, other.predictions[how].inside[level])
    block = samples[:, 0, :4, 4:8].sum(axis=(1, 2))
    assert whole[0].predictions["joint"].variance[0, 1] == pytest.approx(block.var(ddof=1))
    assert whole[0].predictions["independent"].variance[0, 1] == pytest.approx(
        samples[:, 0, :4, 4:8].var(axis=0, ddof=1).sum()
    )


def test_joint_samples_cover_sums_of_any_size_where_independent_pixels_fail() -> None:
    """Truth and samples are draws of the same field, whose pixels go together within about 3 px."""
    samples = _drawn(59, (512, 512), blur=3, seed=1)
    truth = _drawn(1, (512, 512), blur=3, seed=2)[0]
    found = region_reliability([_assess(samples, truth, tile=512)], ("a",))
    assert [row.regions for row in found] == ["4 x 4 px", "16 x 16 px", "64 x 64 px"]
    assert [row.count for row in found] == [128**2, 32**2, 8**2]
    for row in found:
        # An interval of k regions that are right with probability p covers p ± 4 sqrt(p q / k), k at most
        # the number of patches that are independent of each other.
        independent = min(row.count, (512 / (4 * 3)) ** 2)
        for covered in row.joint.coverage:
            slack = 4 * math.sqrt(covered.level * (1 - covered.level) / independent)
            assert covered.fraction == pytest.approx(covered.level, abs=slack)
    side = 64
    # Blurring white noise leaves its sum over a block, up to the rim: the factor before the blur is what the
    # std of the sum has above the root of the number of pixels.
    ratio = found[2].joint.rmv / found[2].independent.rmv
    assert ratio == pytest.approx(2 * 3 * math.sqrt(math.pi), rel=0.1)
    assert found[2].independent.rmv == pytest.approx(side, rel=0.1)
    level = {c.level: c.fraction for c in found[2].independent.coverage}
    assert level[0.9] == pytest.approx(2 * norm.cdf(norm.ppf(0.95) / ratio) - 1, abs=0.2)


def test_white_errors_are_right_either_way() -> None:
    samples = np.random.default_rng(0).normal(size=(59, 2, 256, 256))
    truth = np.random.default_rng(1).normal(size=(2, 256, 256))
    rows = region_reliability([_assess(samples, truth, tile=256, calibrated=np.ones((2, 256, 256)))], "ab")
    assert [(row.channel, row.regions) for row in rows[::3]] == [("a", "4 x 4 px"), ("b", "4 x 4 px")]
    for row in (rows[0], rows[3]):
        assert row.joint.rmv == pytest.approx(row.independent.rmv, rel=0.02)
        assert row.independent_calibrated is not None
        assert row.independent_calibrated.rmv == pytest.approx(4)
        # The mean of n samples adds 1 / n to the variance of the error.
        assert row.rmse == pytest.approx(4 * math.sqrt(1 + 1 / 59), rel=0.03)
        assert row.joint_calibrated is not None
        for answer in (row.joint, row.joint_calibrated, row.independent, row.independent_calibrated):
            for covered in answer.coverage:
                assert covered.fraction == pytest.approx(covered.level, abs=0.025)


@given(samples=st.integers(2, 60))
@settings(max_examples=20)
def test_an_exchangeable_truth_is_covered_as_promised_for_any_number_of_samples(samples: int) -> None:
    """Over many single-pixel regions; levels that the samples do not resolve are left out.

    With n samples, the truth lies between the k-th smallest and the k-th largest with probability
    1 - 2 k / (n + 1); the ends of an interval lie at or between two such k.
    """
    values = np.random.default_rng(samples).normal(size=(samples + 1, 1, 100, 100))
    regions = block_regions((100, 100), 1)
    assert regions is not None
    (found,) = region_sums([regions], values[1:]).errors(values[0], values[0], values[0], None)
    assert set(found.predictions["joint"].inside) == {
        level for level in LEVELS if samples >= samples_needed(level)
    }
    for level, inside in found.predictions["joint"].inside.items():
        k, slack = (1 - level) / 2 * (samples + 1), 4 * math.sqrt(level * (1 - level)) / 100
        wide, narrow = (1 - 2 * end / (samples + 1) for end in (math.floor(k + 1e-9), math.ceil(k - 1e-9)))
        assert narrow - slack <= inside.mean() <= wide + slack


def test_samples_needed_are_those_between_whose_extremes_the_interval_lies() -> None:
    """Between the smallest and the largest of n lies a further draw with probability (n - 1) / (n + 1)."""
    for level in LEVELS:
        n = samples_needed(level)
        assert (n - 1) / (n + 1) >= level - 1e-12
        assert (n - 2) / n < level


def test_calibration_stretches_the_joint_spread_as_it_does_the_pixels() -> None:
    """Samples that spread a third too little are repaired by the factor of their pixels, at every size."""
    factor = 3.0
    samples = _drawn(59, (256, 256), blur=2, seed=1) / factor
    truth = _drawn(1, (256, 256), blur=2, seed=2)[0]
    std = factor * samples.std(axis=0, ddof=1)
    rows = region_reliability([_assess(samples, truth, tile=256, calibrated=std)], ("a",))
    for row in rows[:2]:
        assert row.joint_calibrated is not None
        assert row.joint_calibrated.rmv == pytest.approx(factor * row.joint.rmv)
        before, after = (
            {c.level: c.fraction for c in answer.coverage}[0.9]
            for answer in (row.joint, row.joint_calibrated)
        )
        assert before == pytest.approx(2 * norm.cdf(norm.ppf(0.95) / factor) - 1, abs=0.07)
        assert after == pytest.approx(0.9, abs=0.07)


def _row(samples: int) -> RegionReliability:
    drawn, truth = _drawn(samples, (64, 64), blur=1, seed=1), _drawn(1, (64, 64), blur=1, seed=2)[0]
    return region_reliability([_assess(drawn, truth, tile=64)], ("a",))[-1]


def test_what_few_regions_and_few_samples_cannot_say_is_said() -> None:
    row = _row(10)
    assert row.notes == (
        "a, 64 x 64 px: only 1 region, so their coverage is a rough number.",
        "a, 64 x 64 px: too few samples for the joint interval of 90% and 95%; use more --samples.",
    )
    assert [c.level for c in row.joint.coverage] == [0.5, 0.68]
    assert len(_row(39).joint.coverage) == 4
