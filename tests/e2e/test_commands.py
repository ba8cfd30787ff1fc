"""The commands one after the other, as a user types them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner, Result

import denoisplit
from denoisplit.cli import main
from denoisplit.core.images.bases import Image, PixelSize
from denoisplit.plugins.image_formats.ome_tiff import OmeTiff
from tests.cli import terminal
from tests.e2e.experiment import CHANNELS, Experiment


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result


def test_train_predict_evaluate(experiment: Experiment, tmp_path: Path) -> None:
    folder, image, out = tmp_path / "run", tmp_path / "mixed.ome.tif", tmp_path / "split.ome.tif"
    trained = run("train", experiment.spec, "--out", folder, "--set", "training.steps=2")
    assert trained.stdout.splitlines() == [
        f"Trained: {folder}",
        f"Next: denoisplit predict {folder} IMAGE --out PREDICTION.ome.tif",
    ]
    assert "step 2 of 2: loss" in trained.stderr

    pixels = np.random.default_rng(0).integers(100, 300, (2, 1, 5, 7)).astype(np.uint16)
    record = Image(data=pixels, axes="tcyx", channel_names=("camera",), pixel_size=PixelSize((0.2, 0.1)))
    OmeTiff(OmeTiff.Options()).write(image, record)
    predicted = run("predict", folder, image, "--out", out, "--samples", 3, "--seed", 5)
    names = [f"{name} {kind}" for kind in ("mean", "std", "calibrated std") for name in CHANNELS]
    *lines, verdict = predicted.stdout.splitlines()
    assert lines == [f"{out}: TCYX 2x6x5x7", *(f"  {name}" for name in names)]
    assert verdict.startswith("Verdict: ")
    assert predicted.stderr == ""
    written = OmeTiff(OmeTiff.Options()).open(out)
    assert (written.axes, written.channel_names) == ("tcyx", tuple(names))
    assert written.pixel_size == PixelSize((0.2, 0.1))
    expected = denoisplit.load(folder).predict(pixels, axes="tcyx", samples=3, seed=5)
    np.testing.assert_array_equal(written.data, expected.to_image().data)

    again = run("predict", folder, image, "--out", out, "--overwrite", "--samples", 1)
    assert again.stdout.splitlines()[1:-1] == [f"  {name} mean" for name in CHANNELS]
    assert "One sample has no spread" in again.stderr


def test_evaluation_writes_tables_numbers_and_a_picture(experiment: Experiment, tmp_path: Path) -> None:
    def refuse(constant: str) -> NoReturn:
        raise AssertionError(constant)

    numbers, picture = tmp_path / "new" / "scores.json", tmp_path / "picture.png"
    result = run("evaluate", experiment.run, "--json", numbers, "--figure", picture)
    for text in (*CHANNELS, "PSNR", f"Numbers: {numbers}", f"Picture: {picture}"):
        assert text in result.stdout
    assert "These fields also served" not in result.stdout
    plain = json.loads(numbers.read_text(), parse_constant=refuse)
    assert (plain["split"], plain["channels"]) == ("test", list(CHANNELS))
    assert picture.read_bytes().startswith(b"\x89PNG")

    held_out = run("evaluate", experiment.run, "--samples", 2, "--set", "data.test=null")
    assert "These fields also served for early stopping and calibration." in held_out.stdout


def test_the_demo_shows_everything_once(tmp_path: Path) -> None:
    small = (
        "data.train={use: simulated, fields: 2, size: 32, seed: 1}",
        "data.validation={use: simulated, fields: 1, size: 32, seed: 2}",
        "data.test={use: simulated, fields: 1, size: 32, seed: 3}",
        "model.encoder={levels: 2, width: 4}",
        "model.decoder.latent_channels=2",
        "model.noise_model={fit_steps: 3, fit_pairs: 1000}",
        "training={start_from: null, steps: 2, batch: 1, patch: 16}",
        "prediction.samples=2",
    )
    out = tmp_path / "demo"
    command = ("demo", "--out", str(out), *(part for override in small for part in ("--set", override)))
    shown = terminal.run(*command)
    assert shown.code == 0, shown.text
    for stage in ("Training", "Calibrating", "Looking at the images", "Evaluating", "Splitting mixed"):
        assert any(line.startswith(stage) and "/" in line for line in shown.lines), (stage, shown.text)
    result = run(*command)  # replaces its run
    assert sorted(file.name for file in out.iterdir()) == [
        "demo.png",
        "demo.txt",
        "mixed.ome.tif",
        "prediction.ome.tif",
        "run",
        "scores.json",
    ]
    last = result.stdout.splitlines()[-1]
    assert last == f"Try next:   denoisplit predict {out / 'run'} {out / 'mixed.ome.tif'} --out again.ome.tif"
    *_, next_command = last.partition("denoisplit ")
    run(*next_command.replace("again", str(tmp_path / "again")).split())
    first, second = (
        tifffile.imread(file) for file in (out / "prediction.ome.tif", tmp_path / "again.ome.tif")
    )
    np.testing.assert_array_equal(first, second)


VOLUMES = """
preset: altered-musplit
channels: [a, b]
data: {train: {use: folder, path: stacks}, validation_fraction: 0.5}
model:
  dimensions: 3
  encoder: {levels: 1, width: 4}
  decoder: {latent_channels: 2}
  noise_model: [{use: gaussian_mixture, fit_pairs: 1000, fit_steps: 3}, {use: gaussian, log_variance: fixed}]
training: {steps: 2, batch: 1, patch: 8, validate_every: 2}
prediction: {samples: 4}
"""


def test_stacks_with_a_noise_model_per_channel(tmp_path: Path) -> None:
    """Three dimensions from the files to the prediction.

    Without clean references, and with structure that cannot be told from noise, there is no calibration.
    """
    (tmp_path / "stacks").mkdir()
    rng = np.random.default_rng(0)
    for number in range(2):
        pixels = rng.poisson(rng.uniform(20, 200, (2, 8, 24, 24))).astype(np.float32)
        record = Image(
            data=pixels, axes="czyx", channel_names=("a", "b"), pixel_size=PixelSize((0.5, 0.1, 0.1))
        )
        OmeTiff(OmeTiff.Options()).write(tmp_path / "stacks" / f"{number}.ome.tif", record)
    spec, image, out = tmp_path / "spec.yaml", tmp_path / "mixed.ome.tif", tmp_path / "split.ome.tif"
    spec.write_text(VOLUMES)
    trained = run("train", spec, "--out", tmp_path / "run")
    assert "no calibration: no factor fits these errors" in trained.stderr
    assert "noise model of a: fitted to" in trained.stderr
    assert "noise model of b" not in trained.stderr
    record = Image(data=pixels.mean(0)[:5], axes="zyx", pixel_size=PixelSize((0.5, 0.1, 0.1)))
    OmeTiff(OmeTiff.Options()).write(image, record)
    predicted = run("predict", tmp_path / "run", image, "--out", out)
    assert "This run has no calibration" in predicted.stderr
    written = OmeTiff(OmeTiff.Options()).open(out)
    assert written.channel_names == ("a mean", "b mean", "a std", "b std")
    assert written.pixel_size == PixelSize((0.5, 0.1, 0.1))
    assert sorted(zip(written.axes, written.data.shape, strict=True)) == [
        ("c", 4),
        ("x", 24),
        ("y", 24),
        ("z", 5),
    ]
    refused = CliRunner().invoke(main, ["predict", str(tmp_path / "run"), str(image), "--out", str(out)])
    assert refused.exit_code == 2
    flat = tmp_path / "flat.tif"
    tifffile.imwrite(flat, pixels[0, 0])
    result = CliRunner().invoke(
        main, ["predict", str(tmp_path / "run"), str(flat), "--out", str(tmp_path / "x.tif")]
    )
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"{flat}: a 3D model needs the axes zyx, z is missing" in result.stderr


@pytest.mark.parametrize("arguments", [("check", "nothing.yaml"), ("check",), ("trane",)])
def test_a_real_process_ends_with_code_2_and_no_traceback(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "denoisplit", *arguments],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    assert done.stderr
