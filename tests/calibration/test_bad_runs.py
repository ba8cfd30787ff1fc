"""Runs on what is hardly enough: each step says what can and what cannot be given, and no file has a NaN."""

import csv
import json
import math
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
import tifffile
from click.testing import Result

import denoisplit
from denoisplit.core.errors import CalibrationError
from denoisplit.core.images.bases import Field, Image
from denoisplit.core.network.interfaces import Calibration
from denoisplit.core.prediction.outputs.offers import Calibrated
from denoisplit.core.sums.sum_intervals import SumIntervals
from denoisplit.plugins.calibrators.conformal import Conformal
from denoisplit.plugins.calibrators.region import Region
from denoisplit.plugins.datasets.simulated import Simulated
from denoisplit.plugins.image_formats.ome_tiff import OmeTiff
from tests.cli.refusals import noise, refused
from tests.cli.refusals import run as command
from tests.e2e.experiment import CHANNELS, PIXEL_SIZE, SPEC, Experiment


def plain(path: Path) -> Any:
    """JSON as the standard has it, which knows neither NaN nor infinity."""

    def wrong(word: str) -> None:
        raise AssertionError(f"{path.name} holds {word}")

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=wrong)


def finite(run: Path) -> dict[str, Any]:
    """The description of a run, all of whose numbers are finite, as are those of its history."""
    with (run / "metrics.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows
    assert all(math.isfinite(float(cell)) for row in rows for cell in row.values() if cell)
    description: dict[str, Any] = plain(run / "model.json")
    return description


def trained(experiment: Experiment, folder: Path, *overrides: str, text: str = SPEC) -> tuple[Path, Result]:
    """A run of the images of the experiment, and what the command said."""
    spec, out = folder / "spec.yaml", folder / "run"
    spec.write_text(text.replace("path: images", f"path: {experiment.images}"), encoding="utf-8")
    done = command("train", spec, "--out", out, *(part for o in overrides for part in ("--set", o)))
    assert done.exit_code == 0, done.output
    return out, done


def said(done: Result, *parts: str) -> None:
    """One line of what a command said on stderr holds all parts, and it does not speak of nan."""
    lines = [line for line in done.stderr.splitlines() if all(part in line for part in parts)]
    assert len(lines) == 1, (parts, done.stderr)
    assert " nan" not in done.output


def predicted(run: Path, folder: Path, *options: object) -> tuple[Any, Result]:
    """Channels of the image that the command wrote, all finite, and what it said."""
    image, out = folder / "mixed.tif", folder / "split.tif"
    tifffile.imwrite(image, noise(30, 24))
    done = command("predict", run, image, "--out", out, "--overwrite", *options)
    assert done.exit_code == 0, done.output
    pixels = tifffile.imread(out)
    assert np.isfinite(pixels).all()
    return pixels, done


def evaluated(run: Path, folder: Path) -> tuple[Any, Result]:
    """Numbers that the command wrote, and what it said; its figures can be drawn."""
    numbers, figures = folder / "scores.json", folder / "figures"
    done = command("evaluate", run, "--json", numbers, "--figures", figures)
    assert done.exit_code == 0, done.output
    assert "nan" not in done.stdout.lower().replace("denoisplit", "")
    assert any(figures.iterdir())
    return plain(numbers), done


def test_a_single_sample(experiment: Experiment, tmp_path: Path) -> None:
    """It has a mean and nothing else, from training to evaluation."""
    run, done = trained(experiment, tmp_path, "prediction.samples=1")
    said(done, "no calibration: a single sample has no spread (got prediction.samples 1). Use 2 or more.")
    assert finite(run)["calibration"] is None
    pixels, done = predicted(run, tmp_path)
    assert pixels.shape == (2, 30, 24)
    assert done.stderr.strip() == "One sample has no spread, so there is no std. Use --samples 2 or more."
    scores, done = evaluated(run, tmp_path)
    assert scores["uncertainty"] == scores["regions"] == []
    assert (
        "No std, so nothing can be said about the uncertainty. Predict with 2 samples or more." in done.stdout
    )
    pixels, done = predicted(run, tmp_path, "--samples", 2)
    assert pixels.shape == (4, 30, 24)
    assert done.stderr.strip() == "This run has no calibration, so there is no calibrated std."
    image, out = tmp_path / "mixed.tif", tmp_path / "none.tif"
    refused(
        command("predict", run, image, "--out", out, "--output", "std"),
        "prediction.output: too few posterior samples: std needs 2 (got 1). Use 2 or more (--samples 2)",
    )
    refused(
        command("predict", run, image, "--out", out, "--output", "calibrated_interval=0.9", "--samples", 2),
        "prediction.output: the run has no calibration (got calibrated_interval=0.9). Use std or",
    )
    assert not out.exists()


def test_a_network_whose_std_is_zero(experiment: Experiment, tmp_path: Path) -> None:
    plain_decoder = SPEC.replace("latent_channels: 2", "use: deterministic_ladder")
    run, done = trained(experiment, tmp_path, text=plain_decoder)
    said(done, "no calibration: the predicted std is not above zero at 2048 of 2048 pixels (got 0).")
    assert finite(run)["calibration"] is None
    pixels, _ = predicted(run, tmp_path, "--output", "mean,std,total_std,interval=0.3,chi_square")
    assert (pixels[2:4] == 0).all()
    scores, done = evaluated(run, tmp_path)
    for channel in scores["uncertainty"]:
        assert channel["before"]["nll"] is None
        assert channel["before"]["ence"] is None
    assert "the predicted std is 0 at every pixel, so the calibration curve is one point" in done.stdout
    assert "the predicted std is 0 at 441 pixels, so there is no NLL" in done.stdout


@pytest.mark.parametrize("name", ["conformal", "isotonic"])
def test_a_single_held_out_field(experiment: Experiment, tmp_path: Path, name: str) -> None:
    """It is used, and its meaning is said; levels beyond what its pixels tell are named when asked for."""
    run, done = trained(experiment, tmp_path, f"calibrator.use={name}", "data.validation_fraction=0.3")
    said(done, "calibrated on a single field: nothing tells how much the errors differ from field to field.")
    assert finite(run)["calibration"]["component"] == f"denoisplit/{name}"
    pixels, _ = predicted(run, tmp_path, "--output", "calibrated_std,calibrated_interval=0.99")
    assert pixels.shape == (6, 30, 24)
    scores, _ = evaluated(run, tmp_path)
    assert all(len(channel["after"]["coverage"]) == 4 for channel in scores["uncertainty"])
    if name == "conformal":
        image, out = tmp_path / "mixed.tif", tmp_path / "none.tif"
        refused(
            command("predict", run, image, "--out", out, "--output", "calibrated_interval=0.9999"),
            "calibration: the held-out pixels allow intervals up to 0.999 (got 0.9999). Use a lower level",
        )
        assert not out.exists()


def test_noisy_targets_for_a_calibrator_that_needs_clean_ones(tmp_path: Path) -> None:
    noisy = SPEC.replace(', clean: "*_clean.ome.tif"', "").replace("{fit_pairs: 2000, fit_steps: 5}", "{}")
    # All noise: what a network of a few steps leaves of structures would pass for noise that is correlated.
    own = Experiment(tmp_path)
    own.images.mkdir()
    for number in range(3):
        pixels = np.random.default_rng(number).normal(100, 5, (2, 32, 32)).astype(np.float32)
        image = Image(data=pixels, axes="cyx", channel_names=CHANNELS, pixel_size=PIXEL_SIZE)
        OmeTiff(OmeTiff.Options()).write(own.images / f"{number}_noisy.ome.tif", image)
    run, done = trained(
        own, tmp_path, "calibrator.use=conformal", "model.noise_model.use=gaussian", text=noisy
    )
    said(done, "no calibration: Conformal needs clean references (got errors of noisy images). Use another")
    assert finite(run)["calibration"] is None


def test_an_image_that_is_all_noise(experiment: Experiment, tmp_path: Path) -> None:
    """It is predicted like any other; the verdict is for whoever looks at it."""
    words = "mean,std,total_std,calibrated_std,calibrated_interval=0.9,chi_square,samples"
    pixels, done = predicted(experiment.run, tmp_path, "--output", words)
    assert len(pixels) == 2 * 6 + 1 + 4
    assert done.stdout.splitlines()[-1].startswith("Verdict: ")


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("kind", ["observed", "clean", "repeats", "mixed"])
def test_a_data_set_that_gives_no_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, value: float
) -> None:
    """Data sets of others need not look at their pixels, so that someone has to."""
    given = Simulated.fields

    def spoiled(self: Simulated) -> tuple[Field, ...]:
        first, *others = given(self)
        image = np.array(first.observed[:1] if kind == "mixed" else getattr(first, kind))
        image[..., 3, 4] = value
        changed: dict[str, Any] = {kind: image}
        return (attrs.evolve(first, **changed), *others)

    monkeypatch.setattr(Simulated, "fields", spoiled)
    spec = tmp_path / "spec.yaml"
    simulated = "{use: simulated, fields: 3, size: 32, repeats: 1}"
    (line,) = (line for line in SPEC.splitlines() if line.startswith("  train:"))
    spec.write_text(SPEC.replace(line, f"  train: {simulated}"), encoding="utf-8")
    refused(
        command("train", spec, "--out", tmp_path / "run"),
        f", {kind} image: ",
        f"pixels are NaN or infinite (got {value} at (",
        "Replace or crop them.",
    )
    assert not (tmp_path / "run").exists()


def test_a_channel_that_is_absent_from_the_held_out_fields(experiment: Experiment, tmp_path: Path) -> None:
    """A file is refused with its name; in Python, a field without the structure has no score, and says so."""
    images = tmp_path / "images"
    shutil.copytree(experiment.images, images)
    absent = images / "1_clean.ome.tif"
    pixels = tifffile.imread(absent)
    pixels[1] = 100
    tifffile.imwrite(absent, pixels, metadata={"axes": "CYX"})
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC, encoding="utf-8")
    refused(
        command("train", spec, "--out", tmp_path / "run"),
        f"{absent}, channel 'mitochondria': all pixels are equal (got 100.0). Remove this image",
    )
    run = denoisplit.load(experiment.run)
    (field,) = Simulated(Simulated.Options(fields=1, size=21), channels=run.spec.channels).fields()
    for spoil, message in (
        (100.0, "the truth of mitochondria is constant, so it has no score (got 100.0 everywhere). Leave"),
        (np.nan, "truth of mitochondria: 441 of 441 pixels are NaN or infinite (got nan at (0, 0))."),
    ):
        clean = np.array(field.clean)
        clean[1] = spoil
        with pytest.raises(denoisplit.errors.ImageError) as caught:
            run.evaluate([attrs.evolve(field, clean=clean)])
        assert message in str(caught.value)
        assert field.name in str(caught.value)


def test_one_field_in_python_is_as_good_as_any(experiment: Experiment) -> None:
    run = denoisplit.load(experiment.run)
    fields: Sequence[Field] = Simulated(
        Simulated.Options(fields=1, size=21), channels=run.spec.channels
    ).fields()
    scores, _ = run.evaluate(fields)
    assert any(note.startswith("1 field: no bootstrap intervals") for note in scores.notes)
    json.dumps(scores.to_json(), allow_nan=False)


def test_edited_numbers_that_a_calibrator_cannot_use_name_its_calibration() -> None:
    """They are named lists of anything, so only the calibrator notices."""
    image = np.ones((1, 3, 4))
    pixels = Calibrated(
        Conformal(Conformal.Options()),
        Calibration("denoisplit/conformal", {"level": [0.5, 0.9], "half_width_0": []}),
    )
    numbers = {"channels": [1.0], "side": [16.0], "16:level": [0.5, 0.9], "16:half_width_0": []}
    regions = SumIntervals(Region(Region.Options()), Calibration("denoisplit/region", numbers), samples=2)
    calls: dict[str, Callable[[], object]] = {
        "conformal": lambda: pixels.std(image, image),
        "conformal interval": lambda: pixels.interval(image, image, 0.9),
        "region": lambda: regions.at(256, channel=0, level=0.9),
    }
    for name, call in calls.items():
        said = rf"^calibration: denoisplit/{name.split()[0]} cannot use the numbers .*IndexError.*again\.$"
        with pytest.raises(CalibrationError, match=said):
            call()
