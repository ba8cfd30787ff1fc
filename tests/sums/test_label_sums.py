"""Sums over labelled regions as rows of a table."""

import csv
import io
from itertools import product

import numpy as np
import numpy.typing as npt
import pytest

from denoisplit.core.arrays import Float64Array
from denoisplit.core.sums.divisions import block_division, label_divisions
from denoisplit.core.sums.label_sums import LabelSum, LabelSums, sums_at
from tests.summing import known, sums_of_samples

LABELS = np.array([[0, 7, 7], [3, 0, 7]], dtype=np.uint16)


def rows(
    samples: Float64Array,
    labels: npt.NDArray[np.uint16] = LABELS,
    *,
    calibrated: bool = True,
    fitted: int = 2,
) -> list[LabelSum]:
    (division,) = label_divisions(labels, (), labels.shape, "here")
    assert division is not None
    (sums,) = sums_of_samples([division], samples)
    intervals = known(3, fitted=fitted) if calibrated else None
    return list(sums_at((), division, sums, ["a", "b"][: samples.shape[1]], intervals))


def test_a_row_has_the_sum_its_spread_and_its_interval() -> None:
    samples = np.random.default_rng(0).normal(100, 5, (9, 2, 2, 3))
    found = rows(samples)
    assert [(row.label, row.channel, row.pixels) for row in found] == [
        (3, "a", 1), (3, "b", 1), (7, "a", 3), (7, "b", 3),
    ]  # fmt: skip
    for row, channel in ((found[2], 0), (found[3], 1)):
        sums = samples[:, channel, 0, 1] + samples[:, channel, 0, 2] + samples[:, channel, 1, 2]
        assert row.sum == pytest.approx(sums.mean())
        assert row.std == pytest.approx(sums.std(ddof=1))
        assert row.calibrated_std == pytest.approx((2 + channel / 2) * sums.std(ddof=1))
        assert row.low == pytest.approx(sums.mean() - 3.6 * sums.std(ddof=1))
        assert row.high == pytest.approx(sums.mean() + 3.6 * sums.std(ddof=1))
        assert (row.holds, row.note) == (True, "")
    single = found[0]
    assert (single.calibrated_std, single.low, single.high, single.holds) == (None, None, None, False)
    assert single.note == "Not 1."


def test_no_interval_holds_with_fewer_samples_than_a_calibration_allows() -> None:
    found = [
        row
        for row in rows(np.random.default_rng(0).normal(100, 5, (4, 2, 2, 3)), fitted=50)
        if row.label == 7
    ]
    assert {(row.holds, row.note) for row in found} == {
        (False, "The samples are too few for a calibration: take 8 or more.")
    }
    assert all(row.calibrated_std is not None for row in found)
    enough = rows(np.random.default_rng(0).normal(100, 5, (8, 2, 2, 3)), fitted=50)
    as_fitted = rows(np.random.default_rng(0).normal(100, 5, (4, 2, 2, 3)), fitted=4)
    assert all(row.holds for row in (*enough, *as_fitted) if row.label == 7)


def test_what_is_missing_is_said_and_left_empty() -> None:
    samples = np.ones((2, 1, 2, 3))
    assert {row.note for row in rows(samples, calibrated=False)} == {"The run has no calibration of sums."}
    (one, *_) = rows(samples[:1])
    assert (one.sum, one.std, one.note) == (1.0, None, "A single sample has no spread.")
    text = LabelSums("tz", (LabelSum(
        position=(4, 0), label=2, channel="a, b", pixels=9, sum=1 / 3, std=None, calibrated_std=None,
        low=None, high=None, holds=False, note="Why, then.",
    ),)).to_csv()  # fmt: skip
    (row,) = csv.DictReader(io.StringIO(text))
    assert row == {
        "t": "4", "z": "0", "label": "2", "channel": "a, b", "pixels": "9", "sum": "0.3333333", "std": "",
        "calibrated_std": "", "low_90": "", "high_90": "", "holds": "no", "note": "Why, then.",
    }  # fmt: skip


def test_the_summary_counts_what_holds() -> None:
    table = LabelSums("", tuple(rows(np.random.default_rng(0).normal(size=(9, 2, 2, 3)))))
    assert table.summary == "4 sums, 2 with an interval that holds. 2: Not 1."


def test_a_region_of_several_planes_was_not_checked() -> None:
    labels = np.zeros((2, 2, 3), dtype=np.uint16)
    labels[0, 0], labels[:, 1, 0], labels[1, 1, 2] = 1, 2, 2
    samples = np.random.default_rng(0).normal(size=(9, 1, 2, 2, 3))
    plane, stack = rows(samples, labels)
    assert (plane.pixels, plane.holds, stack.pixels, stack.holds) == (3, True, 3, False)
    assert stack.note.startswith("Not checked: the region has several planes")
    assert stack.low is not None


def test_sums_are_the_same_bits_whichever_tile_comes_first() -> None:
    samples = np.random.default_rng(0).normal(1e4, 1, (7, 2, 60, 50))
    labels = np.zeros((60, 50), dtype=np.uint8)
    labels[5:55, 3:40], labels[20, 45] = 1, 2
    (marked,) = label_divisions(labels, (), (60, 50), "here")
    blocks = block_division((60, 50), 16)
    assert marked is not None
    assert blocks is not None
    places = [(slice(y, y + 13), slice(x, x + 11)) for y, x in product(range(0, 60, 13), range(0, 50, 11))]
    forwards = sums_of_samples([marked, blocks], samples, places)
    backwards = sums_of_samples([marked, blocks], samples, places[::-1])
    for one, other in zip(forwards, backwards, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_allclose(forwards[0][:, :, 1], samples[:, :, 20, 45])
    np.testing.assert_allclose(forwards[0][:, :, 0], samples[:, :, 5:55, 3:40].sum((2, 3), dtype=np.float64))
