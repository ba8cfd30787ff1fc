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
from denoisplit.core.assessment.sum_errors import (
    UNCALIBRATED,
    SumErrors,
    SumReliability,
    samples_needed,
    sum_errors,
    sum_reliability,
)
from denoisplit.core.sums.divisions import block_division, label_divisions
from tests.summing import known, sums_of_samples

LEVELS = (0.5, 0.68, 0.9, 0.95)


def _drawn(samples: int, shape: tuple[int, ...], *, blur: float, seed: int) -> Float64Array:
    """Images [s 1 y x] of unit variance whose pixels go together within ``blur``."""
    white = np.random.default_rng(seed).normal(size=(samples, 1, *shape))
    smooth: Float64Array = gaussian_filter(white, (0, 0, blur, blur), mode="wrap")
    return smooth * 2 * blur * math.sqrt(math.pi)


def _assess(samples: Float64Array, truth: Float64Array, *, tile: int = 512) -> list[SumErrors]:
    """Stream the samples tile by tile, as a prediction does."""
    shape = truth.shape[1:]
    divisions = [found for side in (4, 16, 64) if (found := block_division(shape, side))]
    edges = [[*range(0, side, tile), side] for side in shape]
    places = [
        (slice(top, bottom), slice(left, right))
        for top, bottom in pairwise(edges[0])
        for left, right in pairwise(edges[1])
    ]
    sums = sums_of_samples(divisions, samples, places)
    mean, std = samples.mean(axis=0), samples.std(axis=0, ddof=1)
    return [sum_errors(of, one, mean, std, truth) for of, one in zip(divisions, sums, strict=True)]


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
    found = sum_reliability(_assess(samples, truth), ("a",))
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
    rows = sum_reliability(_assess(samples, truth), "ab")
    assert [(row.channel, row.regions) for row in rows[::3]] == [("a", "4 x 4 px"), ("b", "4 x 4 px")]
    for row in (rows[0], rows[3]):
        assert row.joint.rmv == pytest.approx(row.independent.rmv, rel=0.02)
        assert row.independent.rmv == pytest.approx(4, rel=0.01)
        # The mean of n samples adds 1 / n to the variance of the error.
        assert row.rmse == pytest.approx(4 * math.sqrt(1 + 1 / 59), rel=0.03)
        for answer in (row.joint, row.independent):
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
    pixels = block_division((100, 100), 1)
    assert pixels is not None
    (sums,) = sums_of_samples([pixels], values[1:])
    found = sum_errors(pixels, sums, values[0], values[0], values[0])
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


def test_the_calibration_of_the_run_is_asked_for_every_region() -> None:
    """It knows regions of 3 pixels, with a std of 2 + c / 2 and a half-width of 4 p stds of the samples."""
    rng = np.random.default_rng(0)
    samples, truth = rng.normal(size=(9, 2, 40, 60)), 3 * rng.normal(size=(2, 40, 60))
    labels = np.arange(20 * 40).reshape(40, 20).repeat(3, axis=1) + 1
    labels[0, 3:9] = 0  # two regions of three fewer, and one of two pixels
    labels[0, 0] = 0
    (division,) = label_divisions(labels, (), labels.shape, "here")
    assert division is not None
    (sums,) = sums_of_samples([division], samples)
    mean = samples.mean(axis=0)
    found = sum_errors(division, sums, mean, mean, truth, known(3))
    rows = sum_reliability([found, found], "ab")
    three = division.pixels == 3
    assert three.sum() == 797
    for channel, row in enumerate(rows):
        assert row.calibrated is not None
        assert (row.count, row.calibrated.regions) == (2 * 798, 2 * 797)
        spread = sums[:, channel, three].std(axis=0, ddof=1)
        assert row.calibrated.rmv == pytest.approx((2 + channel / 2) * math.sqrt((spread**2).mean()))
        error = np.abs(division.sums(mean) - division.sums(truth))[channel, three]
        assert [c.level for c in row.calibrated.coverage] == list(LEVELS)
        for covered in row.calibrated.coverage:
            assert covered.fraction == pytest.approx((error <= 4 * covered.level * spread).mean())
        assert len(row.notes) == 1
        assert row.notes[0].startswith("Too few samples for the joint interval of 90%")
    blocks = block_division((40, 60), 4)
    assert blocks is not None
    (sums,) = sums_of_samples([blocks], samples)
    (row, _) = sum_reliability([sum_errors(blocks, sums, mean, mean, truth, known(3))], "ab")
    assert row.calibrated is None
    assert UNCALIBRATED not in row.notes


def _row(samples: int) -> SumReliability:
    drawn, truth = _drawn(samples, (64, 64), blur=1, seed=1), _drawn(1, (64, 64), blur=1, seed=2)[0]
    return sum_reliability(_assess(drawn, truth), ("a",))[-1]


def test_what_a_run_few_regions_and_few_samples_cannot_say_is_said() -> None:
    row = _row(10)
    assert row.notes == (
        UNCALIBRATED,
        "a, 64 x 64 px: only 1 region, so their coverage is a rough number.",
        "Too few samples for the joint interval of 90% and 95%: use --samples 39 or more.",
    )
    assert row.calibrated is None
    assert [c.level for c in row.joint.coverage] == [0.5, 0.68]
    assert len(_row(39).joint.coverage) == 4
