"""Reports with ``--set``: other images are looked at or missed aloud, and nothing is ignored."""

from pathlib import Path
from typing import Any

import pytest

from denoisplit.core.images.bases import Image
from denoisplit.core.images.io import open_image
from tests.cli.refusals import refused
from tests.cli.refusals import run as command
from tests.e2e.experiment import CHANNELS, Experiment
from tests.report.parsed import Report


def test_named_images_that_cannot_be_read_are_an_error(experiment: Experiment, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    images = "data.test={use: folder, path: nowhere, observed: '*.tif'}"
    refused(
        command("report", experiment.run, "--out", page, "--set", images),
        f"{experiment.run.resolve() / 'nowhere'}: there is no such folder",
        f"A relative path in --set starts in {experiment.run.resolve()}.",
    )
    assert not page.exists()


def test_a_relative_path_starts_in_the_run(experiment: Experiment, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    (experiment.run / "others").symlink_to(experiment.images)
    try:
        images = (
            "data.test={use: folder, path: others, observed: '*_noisy.ome.tif', clean: '*_clean.ome.tif'}"
        )
        words = ("--out", page, "--set", images, "--set", "prediction.samples=3")
        told = command("report", experiment.run, *words)
    finally:
        (experiment.run / "others").unlink()
    assert told.exit_code == 0, told.output
    found = Report.of(page)
    assert found.all("img")
    assert found.row("mixed")[2] == "-"
    shown = [one["alt"] for one in found.all("img") if "posterior sample" in one["alt"]]
    assert {alt.rpartition(" ")[2] for alt in shown} == {"1", "2", "3"}


def test_named_images_are_read_once(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = tmp_path / "others"
    others.symlink_to(experiment.images)
    opened: list[Path] = []

    def open_counted(path: Path, *words: Any) -> Image:
        opened.append(path)
        return open_image(path, *words)

    monkeypatch.setattr("denoisplit.plugins.datasets.reading.open_image", open_counted)
    images = f"data.test={{use: folder, path: {others}, observed: '*_noisy.ome.tif'}}"
    told = command("report", experiment.run, "--out", tmp_path / "report.html", "--set", images)
    assert told.exit_code == 0, told.output
    assert sorted(path for path in opened if path.is_relative_to(others)) == sorted(others.glob("*_noisy*"))


@pytest.mark.parametrize("name", ["report", "evaluate"])
def test_what_belongs_to_the_run_is_refused(experiment: Experiment, name: str) -> None:
    for override in ("training.seed=1", "model.encoder.width=16"):
        key = override.partition(".")[0]
        refused(
            command(name, experiment.run, "--set", override),
            f"--set {override}: {key} belongs to the run; data, prediction and metrics can be others.",
        )
    channels = f"channels=[{', '.join(reversed(CHANNELS))}]"
    refused(
        command(name, experiment.run, "--set", channels),
        f"--set {channels}: channels are those of other images",
    )
