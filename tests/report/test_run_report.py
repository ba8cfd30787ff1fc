"""The report on a run: one page that needs nothing else, and says what the run and its images say."""

import base64
import csv
import hashlib
import json
from collections import Counter
from pathlib import Path

import attrs
import numpy as np
import pytest

import denoisplit
from denoisplit.api import Run
from denoisplit.core.assessment.scores import evaluate_fields
from denoisplit.core.errors import ArgumentError, RunError
from denoisplit.core.report.about_training import course
from denoisplit.core.report.about_uncertainty import has_none
from denoisplit.core.report.gathered import Looked, RunFindings, shown_samples
from denoisplit.core.spec.records import Chosen
from denoisplit.core.training.data.prepare import evaluation_fields
from tests.cli.refusals import run as command
from tests.e2e.experiment import CHANNELS, Experiment
from tests.report.parsed import Report

SECTIONS = [
    "glance",
    "data",
    "training",
    "samples",
    "spread",
    "accuracy",
    "uncertainty",
    "noise",
    "mixture",
    "origin",
    "citing",
]


@pytest.fixture(scope="module")
def file(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run.report(tmp_path_factory.mktemp("report") / "report.html", samples=4)


@pytest.fixture(scope="module")
def page(file: Path) -> Report:
    return Report.of(file)


def test_it_needs_nothing_else_and_forbids_everything_else(file: Path, page: Report) -> None:
    assert page.addresses == set()
    (policy,) = [meta["content"] for meta in page.all("meta") if "http-equiv" in meta]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    for kind, element in (("style-src", "style"), ("script-src", "script")):
        digest = base64.b64encode(hashlib.sha256(page.texts[element].encode()).digest()).decode()
        assert rules[kind] == f"'sha256-{digest}'"
    assert "unsafe" not in policy
    assert not any("style" in given or any(name.startswith("on") for name in given) for _, given in page.tags)
    assert file.stat().st_size < 5_000_000


def test_everybody_can_read_it(page: Report) -> None:
    assert all(image["alt"] for image in page.all("img"))
    assert all(svg["aria-label"] and svg["role"] == "img" for svg in page.all("svg"))
    names = Counter(given["id"] for _, given in page.tags if "id" in given)
    assert [name for name, count in names.items() if count > 1] == []
    assert {given["aria-labelledby"] for given in page.all("section")} <= names.keys()
    targets = {link["href"].removeprefix("#") for link in page.all("a")}
    assert targets <= names.keys()
    sliders = [given for given in page.all("input") if given["type"] == "range"]
    assert sliders
    assert {slider["id"] for slider in sliders} == {label["for"] for label in page.all("label")}


def test_every_section_is_there(page: Report) -> None:
    assert [section["id"] for section in page.all("section")] == SECTIONS
    assert all(len(page.texts[name].split()) > 20 for name in SECTIONS)


def test_its_scores_are_those_of_evaluate(experiment: Experiment, page: Report, tmp_path: Path) -> None:
    numbers = tmp_path / "scores.json"
    assert command("evaluate", experiment.run, "--samples", 4, "--json", numbers).exit_code == 0
    plain = json.loads(numbers.read_text())
    for channel in CHANNELS:
        told = page.row(f"{channel}, PSNR (dB)")
        scores = [s for s in plain["scores"] if (s["channel"], s["metric"]) == (channel, "psnr")]
        assert told == [f"{score['mean']:.2f}" for score in scores]
        (uncertain,) = [one for one in plain["uncertainty"] if one["channel"] == channel]
        for kind, when in (("as predicted", "before"), ("calibrated", "after")):
            found = uncertain[when]
            shares = [f"{one['fraction']:.1%}" for one in found["coverage"]]
            expected = [f"{found['rmv']:.4g}", f"{found['rmse']:.4g}", f"{found['ence']:.3f}", *shares]
            assert page.row(f"{channel}, {kind}") == expected


def test_a_gain_is_told_with_its_measure(page: Report) -> None:
    for section in ("glance", "accuracy"):
        assert "in range-invariant PSNR (RI-PSNR)" in page.texts[section]


def test_its_curves_are_those_of_the_table(run: Run, page: Report) -> None:
    with run.folder.metrics.open(encoding="utf-8") as table:
        *_, last = csv.DictReader(table)
    (curves,) = [svg["aria-label"] for svg in page.all("svg") if svg["aria-label"].startswith("Curves")]
    assert f"to {float(last['val_loss']):.3f} at step {last['step']}" in curves
    assert f"step {run.bundle.best_step} of {run.bundle.steps}" in page.texts["training"]


def test_noise_that_may_be_independent_is_not_blamed_for_the_residual(page: Report) -> None:
    said = page.texts["noise"]
    assert said.count("too few pixels to tell whether the noise is independent") == len(CHANNELS)
    assert "is not white: it holds structure, or the noise is correlated" in said
    assert "noise itself is correlated" not in said


def test_it_says_where_the_network_comes_from(run: Run, page: Report) -> None:
    said = page.texts["origin"]
    for fact in (run.bundle.data_fingerprint, "cpu", *run.bundle.versions.values(), "drawn at random"):
        assert fact in said
    for _, component, _ in run.bundle.components:
        assert component in said
    assert "@" in page.texts["citing"]


def test_every_sample_is_behind_the_slider(page: Report) -> None:
    shown = [image for image in page.all("img") if "posterior sample" in image["alt"]]
    assert len(shown) == 4 * len(CHANNELS)
    assert [("hidden" in image, image["data-step"]) for image in shown[:2]] == [(False, "1"), (True, "2")]
    assert len({image["src"] for image in shown}) == len(shown)


@pytest.mark.parametrize(
    ("channels", "drawn", "shown"), [(1, 16, 6), (2, 16, 6), (4, 16, 4), (30, 16, 2), (2, 3, 3), (2, 1, 1)]
)
def test_samples_are_shown_as_far_as_there_is_room(channels: int, drawn: int, shown: int) -> None:
    assert shown_samples(channels, drawn) == shown


def test_a_single_sample_has_no_slider(run: Run, tmp_path: Path) -> None:
    found = Report.of(run.report(tmp_path / "report.html", samples=1, fields=1))
    assert len([image for image in found.all("img") if "posterior sample" in image["alt"]]) == len(CHANNELS)
    assert not found.all("input")


def test_without_images_it_says_so_and_shows_what_the_run_holds(
    run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = run.spec.data
    options = attrs.evolve(data.train.options, path=tmp_path / "gone")
    gone = attrs.evolve(data, train=Chosen(component=data.train.component, options=options), test=None)
    moved = run.on(attrs.evolve(run.spec, data=gone))
    found = Report.of(moved.report(tmp_path / "report.html"))
    assert f"the report shows no images: {tmp_path / 'gone'}: there is no such folder" in caplog.text
    assert "'denoisplit evaluate' and 'report' take others: --set 'data.test={" in caplog.text
    assert [section["id"] for section in found.all("section")] == SECTIONS
    assert found.all("img") == []
    for name in ("data", "samples", "accuracy", "uncertainty"):
        assert str(tmp_path / "gone") in found.texts[name]
    assert found.row("training")[0] == "2"
    assert "metrics" not in found.texts["training"]
    assert run.bundle.data_fingerprint in found.texts["origin"]
    assert f"{run.bundle.noise_reports[0].nll:.4f}" in {cell for row in found.rows for cell in row}


def test_without_a_table_or_log_it_still_appears(run: Run, experiment: Experiment, tmp_path: Path) -> None:
    for kept in ("model.json", "model.safetensors"):
        (tmp_path / kept).write_bytes((experiment.run / kept).read_bytes())
    found = Report.of(denoisplit.load(tmp_path).report(samples=2))
    assert "metrics.csv) is missing" in found.texts["training"]
    assert "splits.json) could not be read" in found.texts["data"]
    assert "not there any more" in found.texts["origin"]


@pytest.mark.usefixtures("reports")
def test_a_training_ends_with_one_and_a_finished_run_keeps_it(experiment: Experiment, tmp_path: Path) -> None:
    words = ("train", experiment.spec, "--out", tmp_path / "run", "--set", "training.steps=2")
    trained = command(*words)
    report = tmp_path / "run" / "report.html"
    assert f"Report: {report}\n" in trained.stdout
    before = report.stat().st_mtime_ns
    assert Report.of(report).all("img")
    assert command(*words, "--resume").exit_code == 0
    assert report.stat().st_mtime_ns == before
    report.unlink()
    assert command(*words, "--resume").exit_code == 0
    assert report.is_file()


@pytest.mark.usefixtures("reports")
def test_a_report_that_fails_is_one_line_and_no_failed_training(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError("no\nmore")

    monkeypatch.setattr("denoisplit.core.runs.reporting.write_report", fail)
    out = tmp_path / "run"
    trained = command("train", experiment.spec, "--out", out, "--set", "training.steps=2")
    assert trained.exit_code == 0
    assert not (out / "report.html").exists()
    (told,) = [line for line in trained.stderr.splitlines() if "has no report" in line]
    assert told == (
        f"{out}: has no report (MemoryError: no more). The network is stored; try again with "
        f"'denoisplit report {out}'"
    )
    assert told in (out / "train.log").read_text(encoding="utf-8")
    assert denoisplit.load(out).bundle.calibration_due is False
    assert "Report" not in trained.stdout


def test_it_replaces_reports_only(experiment: Experiment, run: Run, tmp_path: Path) -> None:
    page = tmp_path / "notes.html"
    page.write_text("<p>mine</p>", encoding="utf-8")
    for path, said in (
        (page, "a file that is not a report of denoisplit has this name"),
        (tmp_path / "report.pdf", "Choose a name that ends in .html"),
        (experiment.run / "other.html", "lies in"),
        (tmp_path, "ends in .html"),
    ):
        refused = command("report", experiment.run, "--out", path)
        assert (refused.exit_code, refused.stdout) == (2, "")
        assert said in refused.stderr
        with pytest.raises(RunError):
            run.report(path)
    assert page.read_text(encoding="utf-8") == "<p>mine</p>"
    with pytest.raises(ArgumentError, match="side: must be a whole number of at least 16"):
        run.report(tmp_path / "small.html", side=3)


def test_samples_that_are_all_alike_are_no_uncertainty(run: Run) -> None:
    fields = [field for field in evaluation_fields(run.spec)[1] if field.clean is not None]
    scores, (scored,) = run.evaluate(fields, samples=2)
    assert not has_none(scores)
    alike = attrs.evolve(
        scored, std=0 * np.asarray(scored.std), calibrated_std=None, covered=None, regions=()
    )
    assert has_none(evaluate_fields([alike], channel_names=run.spec.channels, mixing=run.spec.data.mixing))


@pytest.mark.parametrize(("steps", "told"), [(4, False), (40, True)])
def test_a_training_that_ended_early_is_told(run: Run, steps: int, told: bool) -> None:
    spec = attrs.evolve(run.spec, training=attrs.evolve(run.spec.training, steps=steps))
    found = RunFindings(
        folder=run.folder,
        bundle=attrs.evolve(run.bundle, spec=spec),
        device="cpu",
        looked=Looked(side=8, samples=2),
    )
    said = course(found, ({"step": 4.0, "val_loss": 1.0},)).sentence
    assert ("ended before the 40 steps of its spec (training.stop_patience)" in said) == told
