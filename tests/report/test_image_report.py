"""The report on the prediction of an image: it shows the pixels of the prediction."""

from pathlib import Path

import attrs
import numpy as np
import pytest
import tifffile

import denoisplit
from denoisplit.api import Run
from denoisplit.core.errors import ImageError
from denoisplit.core.images.io import iterate_planes
from denoisplit.core.prediction.outputs.posterior import predict
from denoisplit.core.prediction.samples.engine import Work
from denoisplit.core.prediction.samples.engine import run as done
from denoisplit.core.prediction.samples.summaries import Spread
from denoisplit.core.prediction.tiles.plan import plan_part
from denoisplit.core.prediction.tiles.tiling import Box
from denoisplit.core.report.image_page import image_page
from denoisplit.core.runs.image_findings import SIDE, image_findings
from denoisplit.core.spec.records import PredictionSpec
from denoisplit.core.storage.image_files import open_given
from denoisplit.core.verdict.judgement import Verdict
from tests.cli.refusals import run as command
from tests.e2e.experiment import CHANNELS, Experiment
from tests.report.parsed import Report

SECTIONS = ["glance", "image", "samples", "spread", "verdict", "mixture", "origin", "citing"]


def quiet(done: int, total: int) -> None:
    del done, total


def test_a_part_is_predicted_as_in_the_whole(run: Run) -> None:
    stride = run.vse.stride
    mixed = np.random.default_rng(0).uniform(100, 200, (70, 90)).astype(np.float32)
    how = PredictionSpec(samples=3)
    whole = predict(run.vse, mixed, how)
    part = Box((2 * stride[0], 5 * stride[1]), (2 * stride[0] + 13, 90))
    work = Work(run.vse, plan_part(run.vse, mixed.shape, how, part), lambda _: mixed, [Spread()])
    ((_, found),) = done(work)
    np.testing.assert_allclose(found.images["mean"], whole.mean[:, *part.slices], rtol=1e-6)
    assert whole.std is not None
    np.testing.assert_allclose(found.images["std"], whole.std[:, *part.slices], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("output", [None, "samples", "mean"])
def test_its_pixels_are_those_of_the_prediction(run: Run, output: str | None) -> None:
    """Of a movie, the middle frame; of it, the part with most contrast, wherever that is."""
    rng = np.random.default_rng(0)
    movie = rng.poisson(100, (3, 2 * SIDE + 9, SIDE - 3)).astype(np.float32)
    movie[1, SIDE + 40 : SIDE + 80, 30:60] += 300
    prediction = run.predict(movie, axes="tyx", samples=3, seed=4, output=output)
    opened = open_given(movie, "tyx")
    found = image_findings(run.folder, run.vse, run.bundle, opened, prediction, 4, quiet)
    full = run.predict(movie, axes="tyx", samples=3, seed=4, output="mean,std,samples")
    (top, left), (bottom, right) = found.part
    assert top <= SIDE + 40
    assert bottom >= SIDE + 80
    assert found.place == "t=1"
    inside = (1, slice(None), slice(top, bottom), slice(left, right))
    shown = found.predicted
    np.testing.assert_array_equal(shown.mixed, movie[1, top:bottom, left:right])
    np.testing.assert_allclose(shown.mean, full.mean[inside], rtol=1e-6)
    assert full.std is not None
    assert shown.std is not None
    np.testing.assert_allclose(shown.std, full.std[inside], rtol=1e-4, atol=1e-6)
    for number, sample in enumerate(shown.samples):
        np.testing.assert_allclose(sample, full.images[f"sample {number}"][inside], rtol=1e-6)
    assert shown.misfit is not None
    assert len(iterate_planes(opened, 2)) == len(movie)


@pytest.mark.parametrize(
    ("shape", "axes", "told"),
    [
        ((20, 40), "yx", "20 x 40 (yx)"),
        ((90, 120), "yx", "90 x 120 (yx)"),
        ((2, 30, 40), "tyx", "2 x 30 x 40 (tyx)"),
    ],
)
@pytest.mark.parametrize("output", [None, "samples"])
def test_another_image_than_the_predicted_one_is_refused(
    run: Run, tmp_path: Path, shape: tuple[int, ...], axes: str, told: str, output: str | None
) -> None:
    prediction = run.predict(np.full((30, 40), 150.0) + np.eye(30, 40), samples=2, output=output)
    report = tmp_path / "split.html"
    with pytest.raises(ImageError) as refusal:
        run.report_prediction(prediction, np.ones(shape), report, axes=axes)
    assert told in str(refusal.value)
    assert "30 x 40 (yx)" in str(refusal.value)
    assert not report.exists()


@pytest.mark.parametrize(
    ("misfit", "usual", "tone", "said"),
    [
        (1.2, (1.1, 1.6), "good", "usual for this network: 1.1 to 1.6"),
        (2.9, (1.15, 6.57), "look", "It is usual for this network (1.15 to 6.57)"),
        (0.3, (0.2, 0.6), "look", "It is usual for this network (0.2 to 0.6)"),
        (1.2, (0.9, 1.1), "look", "usual for this network: 0.9 to 1.1"),
        (1.2, None, "good", "1 is expected"),
        (2.9, None, "look", "1 is expected"),
    ],
)
def test_what_is_usual_for_a_bad_network_does_not_add_up(
    run: Run, misfit: float, usual: tuple[float, float] | None, tone: str, said: str
) -> None:
    pixels = np.random.default_rng(0).poisson(150, (30, 40))
    verdict = Verdict(status="like", chi_square=misfit, chi_square_range=usual)
    prediction = attrs.evolve(run.predict(pixels, samples=2), verdict=verdict)
    found = image_findings(run.folder, run.vse, run.bundle, open_given(pixels, None), prediction, 0, quiet)
    ((answer, shown),) = (row[1:] for row in image_page(found).glance.rows if "add up" in row[0])
    assert f"Chi-square {misfit}" in answer
    assert said in answer
    assert shown == tone


def test_the_command_writes_it_beside_the_prediction(
    experiment: Experiment, run: Run, tmp_path: Path
) -> None:
    image, out, report = tmp_path / "mixed.tif", tmp_path / "split.ome.tif", tmp_path / "split.html"
    pixels = np.random.default_rng(0).poisson(150, (50, 60)).astype(np.uint16)
    tifffile.imwrite(image, pixels)
    words = ("predict", experiment.run, image, "--out", out, "--samples", 3, "--report", report)
    result = command(*words)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines()[-1] == f"Report: {report}"
    page = Report.of(report)
    assert page.addresses == set()
    assert [section["id"] for section in page.all("section")] == SECTIONS
    assert all(one["alt"] for one in page.all("img"))
    verdict = denoisplit.load(experiment.run).predict(pixels, samples=3).verdict
    assert str(verdict)[1:] in page.texts["verdict"]
    assert f"{verdict.chi_square:.3g}" in page.texts["mixture"]
    shown = [one for one in page.all("img") if "posterior sample" in one["alt"]]
    assert len(shown) == 3 * len(CHANNELS)
    assert str(out) in page.texts["image"]
    assert run.bundle.data_fingerprint in page.texts["origin"]
    again = command(*words, "--overwrite")
    assert again.exit_code == 0


def test_where_it_cannot_be_written_nothing_is_predicted(experiment: Experiment, tmp_path: Path) -> None:
    image, out = tmp_path / "mixed.tif", tmp_path / "split.ome.tif"
    tifffile.imwrite(image, np.ones((30, 30), dtype=np.uint16))
    (tmp_path / "notes.html").write_text("<p>mine</p>", encoding="utf-8")
    for report, said in (
        (tmp_path / "notes.html", "is not a report of denoisplit"),
        (experiment.run / "mine.html", "lies in"),
        (tmp_path / "report.pdf", "ends in .html"),
    ):
        refused = command("predict", experiment.run, image, "--out", out, "--report", report)
        assert (refused.exit_code, refused.stdout, out.exists()) == (2, "", False)
        assert said in refused.stderr
    several = command(
        "predict", experiment.run, image, image, "--out", tmp_path / "o", "--report", tmp_path / "r.html"
    )
    assert "--report needs a single IMAGE" in several.stderr
