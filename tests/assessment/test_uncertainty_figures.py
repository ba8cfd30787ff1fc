"""Figures of the uncertainty show the numbers that they are made from."""

import io
from collections.abc import Sequence

import attrs
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from rich.console import Console
from scipy.stats import norm

from denoisplit.core.assessment.field_figures import error_figure, sample_gallery, uncertainty_maps
from denoisplit.core.assessment.scores import EvaluatedField, Scores, evaluate_fields
from denoisplit.core.assessment.sum_errors import UNCALIBRATED, sum_errors
from denoisplit.core.assessment.uncertainty_figures import (
    calibration_figure,
    coverage_figure,
    region_figure,
)
from denoisplit.core.assessment.uncertainty_tables import region_table, sharpness_table, uncertainty_table
from denoisplit.core.images.mixing import Mixing
from denoisplit.core.prediction.outputs.offers import Calibrated
from denoisplit.core.sums.divisions import block_division
from denoisplit.core.sums.sum_intervals import SumIntervals
from tests.registered import calibrators
from tests.summing import known, sums_of_samples

SAMPLES = 40


def _field(
    seed: int,
    *,
    shape: tuple[int, ...] = (40, 48),
    channels: int = 2,
    intervals: SumIntervals | None = None,
) -> EvaluatedField:
    random = np.random.default_rng(seed)
    std = random.uniform(2, 6, (channels, *shape))
    mean = random.uniform(100, 200, (channels, *shape))
    samples = mean + std * random.normal(size=(SAMPLES, *std.shape))
    truth = mean + 2 * std * random.normal(size=std.shape)
    divisions = [found for side in (4, 16) if (found := block_division(shape, side))]
    sums = zip(divisions, sums_of_samples(divisions, samples), strict=True)
    return EvaluatedField(
        name=f"field {seed}",
        mixed=truth.mean(axis=0, keepdims=True),
        truth=truth,
        mean=samples.mean(axis=0),
        std=std,
        calibrated_std=2 * std,
        regions=tuple(sum_errors(of, found, mean, std, truth, intervals) for of, found in sums),
    )


def _scores(fields: Sequence[EvaluatedField]) -> Scores:
    names = [f"channel {number}" for number in range(len(fields[0].truth))]
    return evaluate_fields(fields, channel_names=names, mixing=Mixing())


def _drawn(figure: Figure) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """The figure as pixels: everything in it can be drawn."""
    file = io.BytesIO()
    figure.savefig(file, dpi=40, format="png")
    file.seek(0)
    return imread(file)


def _lines(figure: Figure, panel: int) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    return {str(line.get_label()): np.asarray(line.get_xydata()) for line in figure.axes[panel].lines}


@pytest.mark.parametrize("count", [1, 6])
def test_the_coverage_figure_has_the_fractions_and_their_intervals(count: int) -> None:
    scores = _scores([_field(seed) for seed in range(count)])
    figure = coverage_figure(scores)
    assert _drawn(figure).std() > 0
    for panel, channel in enumerate(scores.uncertainty):
        lines = _lines(figure, panel)
        np.testing.assert_array_equal(lines["_child0"], [[0, 0], [1, 1]])
        expected = [[c.level, c.fraction] for c in channel.before.coverage]
        np.testing.assert_array_equal(lines["as predicted"], expected)
        assert lines["calibrated"][:, 1] == pytest.approx(lines["calibrated"][:, 0], abs=0.03)
        assert len(figure.axes[panel].collections) == (2 if count > 4 else 0)


def test_the_calibration_figure_has_curve_and_counts() -> None:
    scores = _scores([_field(seed) for seed in range(6)])
    figure = calibration_figure(scores)
    assert _drawn(figure).std() > 0
    curve, strip = figure.axes[:2]
    after = scores.uncertainty[0].after
    assert after is not None
    assert "11,520 pixels in 30 bins, 384 in each" in curve.get_title()
    labels = [str(line.get_label()) for line in curve.lines]
    assert labels[1:] == [
        f"as predicted: ENCE {scores.uncertainty[0].before.ence:.2f}",
        f"calibrated: ENCE {after.ence:.2f}",
    ]
    assert len(strip.patches) == 2


def test_the_region_figure_has_the_ratio_of_real_to_predicted_error() -> None:
    """White errors twice as large as predicted: the ratio is 2 either way, and 1 after calibration by 2."""
    scores = _scores([_field(seed, shape=(96, 96), intervals=known(16)) for seed in range(4)])
    lines = _lines(region_figure(scores), 0)
    for label, pixels, ratio in (
        ("pixels as if independent", [16, 256], 2),
        ("joint samples", [16, 256], 2),
        ("joint samples, calibrated", [16], 1),
    ):
        assert lines[label][:, 0].tolist() == pixels
        assert lines[label][:, 1] == pytest.approx([ratio] * len(pixels), rel=0.15)
    assert _drawn(region_figure(scores)).std() > 0
    some = [
        attrs.evolve(row, calibrated=row.calibrated and attrs.evolve(row.calibrated, regions=row.count - 1))
        for row in scores.regions
    ]
    for other in (_scores([_field(0)]), attrs.evolve(scores, regions=tuple(some))):
        assert "joint samples, calibrated" not in _lines(region_figure(other), 0)


@pytest.mark.parametrize("shape", [(30, 40), (3, 30, 40)], ids=["2d", "3d"])
def test_the_figures_of_a_field_have_a_row_per_channel(shape: tuple[int, ...]) -> None:
    field = _field(0, shape=shape, channels=3)
    names = ("a", "b", "c")
    samples = np.stack([field.mean] * 2)
    gallery, maps, errors = (
        sample_gallery(field, samples, names),
        uncertainty_maps(field, names),
        error_figure([field], names),
    )
    assert maps is not None
    assert errors is not None
    assert [panel.get_title() for panel in gallery.axes[:4]] == ["mean", "sample 1", "sample 2", "truth"]
    plane = (field.mean if len(shape) == 2 else field.mean[:, 1])[0]
    std = np.asarray(field.std)
    half = float(norm.ppf(0.95)) * 2 * (std if len(shape) == 2 else std[:, 1])[0]
    for panel, expected in zip(maps.axes, (plane, plane - half, plane + half), strict=False):
        np.testing.assert_allclose(np.asarray(panel.images[0].get_array()), expected)
    for figure in (gallery, maps, errors):
        assert _drawn(figure).std() > 0
    counted = errors.axes[0].collections[0].get_array()
    assert counted is not None
    assert 0.97 * plane.size * (1 if len(shape) == 2 else 3) < np.nansum(counted) <= field.truth[0].size


def _heavy(seed: int, shape: tuple[int, ...] = (60, 70)) -> EvaluatedField:
    """Errors with heavier tails than a Gaussian, of very different sizes in the two channels."""
    random = np.random.default_rng(seed)
    mean, std = random.uniform(100, 200, (2, *shape)), random.uniform(2, 6, (2, *shape))
    truth = mean + np.array([3, 0.5])[:, None, None] * std * random.standard_t(2, size=std.shape)
    return EvaluatedField(
        name="heavy", mixed=truth.mean(0, keepdims=True), truth=truth, mean=mean, std=std, calibrated_std=std
    )


@pytest.mark.parametrize("name", calibrators())
def test_intervals_are_those_of_the_calibrator(name: str) -> None:
    """In the map, its ends; among the errors, lines below which as many pixels lie as they say."""
    fields, calibrator = [_heavy(seed) for seed in range(3)], calibrators()[name]
    mean, std, truth = (np.stack([getattr(f, kind) for f in fields]) for kind in ("mean", "std", "truth"))
    known = Calibrated(calibrator, calibrator.fit(mean, std, truth))
    maps = uncertainty_maps(fields[1], ("a", "b"), known.interval)
    errors = error_figure(fields, ("a", "b"), known.interval)
    assert maps is not None
    assert errors is not None
    low, high = calibrator.interval(known.calibration, mean[1:2], std[1:2], 0.9)
    for row in range(2):
        shown = [np.asarray(panel.images[0].get_array()) for panel in maps.axes[5 * row + 1 : 5 * row + 3]]
        np.testing.assert_allclose(shown, [low[0, row], high[0, row]], rtol=1e-6)
        (x, y) = _lines(errors, row)["calibrated: 90% of the pixels should be below"].T
        below = abs(mean - truth)[:, row] <= np.interp(std[:, row], x, y)
        ends = calibrator.interval(known.calibration, mean, std, 0.9)
        covered = (truth >= ends[0])[:, row] & (truth <= ends[1])[:, row]
        assert below.mean() == pytest.approx(covered.mean(), abs=0.01)
        if name == "conformal":
            assert below.mean() == pytest.approx(0.9, abs=0.01)
    assert _drawn(maps).std() > 0
    assert _drawn(errors).std() > 0


def test_intervals_that_so_few_pixels_do_not_allow_are_left_out() -> None:
    conformal, few = calibrators()["conformal"], _heavy(0, (2, 3))
    one = (few.mean[None], np.asarray(few.std)[None], few.truth[None])
    known = Calibrated(conformal, conformal.fit(*one))
    maps = uncertainty_maps(few, ("a", "b"), known.interval)
    errors = error_figure([few], ("a", "b"), known.interval)
    assert maps is not None
    assert errors is not None
    assert [panel.get_title() for panel in maps.axes[:3]] == ["mean", "calibrated std", "real error"]
    assert list(_lines(errors, 0)) == ["calibrated: 50% of the pixels should be below"]
    assert _drawn(maps).std() > 0
    assert _drawn(errors).std() > 0


@pytest.mark.parametrize("std", [0.0, 3.0])
def test_a_constant_std_can_be_drawn(std: float) -> None:
    field = _field(0)
    flat = EvaluatedField(
        name="flat", mixed=field.mixed, truth=field.truth, mean=field.mean, std=np.full_like(field.truth, std)
    )
    scores = _scores([flat])
    maps, errors = uncertainty_maps(flat, ("a", "b")), error_figure([flat], ("a", "b"))
    for figure in (maps, errors, calibration_figure(scores), coverage_figure(scores)):
        assert figure is not None
        assert _drawn(figure).std() > 0


def test_without_a_std_there_is_neither_map_nor_error_figure() -> None:
    field = _field(0)
    bare = EvaluatedField(name="bare", mixed=field.mixed, truth=field.truth, mean=field.mean)
    assert uncertainty_maps(bare, ("a", "b")) is None
    assert error_figure([bare], ("a", "b")) is None


def test_the_tables_fit_a_page_with_all_their_numbers() -> None:
    scores = _scores([_field(seed, shape=(64, 64)) for seed in range(6)])
    console = Console(width=110, file=io.StringIO(), record=True)
    for shown in (uncertainty_table(scores), sharpness_table(scores), region_table(scores)):
        console.print(shown)
    text = console.export_text()
    assert "…" not in text
    first = scores.uncertainty[0].before
    assert first.bootstrap is not None
    interval = first.bootstrap.intervals["coverage_0.9"]
    for said in (f"{100 * interval.low:.0f}-{100 * interval.high:.0f}%", f"{first.crps:.4g}"):
        assert said in text


@pytest.mark.parametrize("intervals", [None, known(16)], ids=["uncalibrated", "calibrated"])
def test_the_table_of_sums_has_what_the_run_itself_knows(intervals: SumIntervals | None) -> None:
    scores = _scores([_field(seed, intervals=intervals) for seed in range(2)])
    console = Console(width=110, file=io.StringIO(), record=True)
    console.print(region_table(scores))
    text = console.export_text()
    assert "…" not in text
    assert ("independent" in text, "n/a" in text) == (intervals is None, intervals is not None)
    assert scores.notes.count(UNCALIBRATED) == (intervals is None)
    for row in scores.regions:
        shown = row.independent if intervals is None else row.calibrated
        assert (shown is None) == (row.pixels == 256 and intervals is not None)
        for answer in (row.joint, *([shown] if shown else [])):
            covered = {c.level: c.fraction for c in answer.coverage}[0.9]
            assert f"{answer.rmv:.4g}" in text
            assert f"{covered:.1%}" in text
