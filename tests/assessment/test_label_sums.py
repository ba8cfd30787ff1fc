"""Sums over labelled regions as rows of a table."""

import csv
import io
from collections.abc import Sequence
from itertools import product

import numpy as np
import numpy.typing as npt
import pytest

from denoisplit.core.arrays import Float64Array, FloatArray
from denoisplit.core.assessment.label_sums import LabelSum, LabelSums, label_divisions, sums_at
from denoisplit.core.assessment.region_intervals import RegionIntervals
from denoisplit.core.assessment.regions import block_regions
from denoisplit.core.errors import ImageError
from denoisplit.core.network.interfaces import Calibration, FieldSums, RegionCalibrator, SumInterval
from tests.summing import region_sums

LABELS = np.array([[0, 7, 7], [3, 0, 7]], dtype=np.uint16)


class Double(RegionCalibrator):
    """Knows regions of three pixels: twice the spread, and half a unit more for every channel."""

    sides = (1,)

    def fit(self, mean: FloatArray, std: FloatArray, truth: FloatArray) -> Calibration:
        raise NotImplementedError

    def apply(self, calibration: Calibration, std: FloatArray) -> FloatArray:
        raise NotImplementedError

    def interval(
        self, calibration: Calibration, mean: FloatArray, std: FloatArray, level: float
    ) -> tuple[FloatArray, FloatArray]:
        raise NotImplementedError

    def fit_regions(self, fields: Sequence[Sequence[FieldSums]]) -> Calibration:
        raise NotImplementedError

    def sum_interval(
        self, calibration: Calibration, *, channel: int, pixels: int, level: float
    ) -> SumInterval:
        if pixels != 3:
            return SumInterval(note="Not three.")
        return SumInterval(std=2.0 + channel / 2, half_width=4.0 * level, holds=True)


KNOWN = RegionIntervals(Double(), Calibration("lab/double", {}))


def rows(
    samples: Float64Array, labels: npt.NDArray[np.uint16] = LABELS, *, known: bool = True
) -> list[LabelSum]:
    (regions,) = label_divisions(labels, (), labels.shape, "here")
    assert regions is not None
    return list(
        sums_at(
            (),
            regions,
            region_sums([regions], samples),
            ["a", "b"][: samples.shape[1]],
            KNOWN if known else None,
        )
    )


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
    assert single.note == "Not three."


def test_what_is_missing_is_said_and_left_empty() -> None:
    samples = np.ones((2, 1, 2, 3))
    assert {row.note for row in rows(samples, known=False)} == {"The run has no calibration of sums."}
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
    assert table.summary == "4 sums, 2 with an interval that holds. 2: Not three."


def test_a_region_of_several_planes_was_not_checked() -> None:
    labels = np.zeros((2, 2, 3), dtype=np.uint16)
    labels[0, 0], labels[:, 1, 0], labels[1, 1, 2] = 1, 2, 2
    samples = np.random.default_rng(0).normal(size=(9, 1, 2, 2, 3))
    plane, stack = rows(samples, labels)
    assert (plane.pixels, plane.holds, stack.pixels, stack.holds) == (3, True, 3, False)
    assert stack.note.startswith("Not checked: the region has several planes")
    assert stack.low is not None


@pytest.mark.parametrize(
    "shape", [(3, 4, 5), (1, 3, 4, 5), (4, 5), (1, 1, 4, 5)], ids=["image", "with t", "plane", "flat"]
)
def test_labels_of_one_plane_serve_for_all(shape: tuple[int, ...]) -> None:
    labels = np.zeros(shape, dtype=np.uint8)
    labels[..., 1:3, 2] = 6
    found = label_divisions(labels, (1, 3), (4, 5), "here")
    assert len(found) == 3
    for regions in found:
        assert regions is not None
        assert (regions.labels, regions.pixels.tolist()) == ((6,), [2])


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
        (np.zeros((4, 5)), "here: there is no region"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels: Float64Array, said: str) -> None:
    with pytest.raises(ImageError, match=said):
        label_divisions(labels, (3,), (4, 5), "here")


def test_sums_are_the_same_bits_whichever_tile_comes_first() -> None:
    samples = np.random.default_rng(0).normal(1e4, 1, (7, 2, 60, 50)).astype(np.float32)
    labels = np.zeros((60, 50), dtype=np.uint8)
    labels[5:55, 3:40], labels[20, 45] = 1, 2
    (regions,) = label_divisions(labels, (), (60, 50), "here")
    blocks = block_regions((60, 50), 16)
    assert regions is not None
    assert blocks is not None
    places = [(slice(y, y + 13), slice(x, x + 11)) for y, x in product(range(0, 60, 13), range(0, 50, 11))]
    forwards = region_sums([regions, blocks], samples, places).sums()
    backwards = region_sums([regions, blocks], samples, places[::-1]).sums()
    for one, other in zip(forwards, backwards, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_allclose(forwards[0][:, :, 1], samples[:, :, 20, 45])
    np.testing.assert_allclose(forwards[0][:, :, 0], samples[:, :, 5:55, 3:40].sum((2, 3), dtype=np.float64))
