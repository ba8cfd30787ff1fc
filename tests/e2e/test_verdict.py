"""Verdicts of a trained run: images like those of the training pass, others are named."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

import denoisplit
from denoisplit.core.arrays import Float32Array
from denoisplit.core.storage.json_records import write_mapping
from denoisplit.core.verdict.image_statistics import noise_level
from denoisplit.core.verdict.judgement import FALSE_ALARMS
from denoisplit.plugins.datasets.simulated import Simulated
from tests.cli.refusals import run as command

SPEC = """
preset: denoisplit
channels: [filaments, mitochondria]
data:
  train: {use: simulated, fields: 24, size: 96, seed: 1}
  validation: {use: simulated, fields: 6, size: 96, seed: 2}
model:
  encoder: {levels: 2, width: 8, binning: 2}
  decoder: {latent_channels: 4}
  noise_model: {fit_pairs: 8000, fit_steps: 100}
training: {steps: 60, batch: 4, patch: 48, validate_every: 30, precision: float32, schedule: cosine}
prediction: {samples: 2}
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> denoisplit.Run:
    folder = tmp_path_factory.mktemp("verdict")
    (folder / "spec.yaml").write_text(SPEC, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patched:
        # Trained for seconds, it is worse than a blur, which is another verdict.
        patched.setattr(
            "denoisplit.core.training.calibration.fit_calibrators.measured_gains",
            lambda *_: {"filaments": 1.0},
        )
        return denoisplit.train(folder / "spec.yaml", folder / "run")


def channels(run: denoisplit.Run, *, count: int = 1, size: int = 96) -> list[Float32Array]:
    options = Simulated.Options(fields=count, size=size, seed=99)
    return [field.observed[...] for field in Simulated(options, channels=run.spec.channels).fields()]


def checks(run: denoisplit.Run, mixed: Float32Array) -> set[str]:
    return {finding.check for finding in run.predict(mixed.astype(np.float32)).verdict.findings}


def test_images_like_those_of_the_training_pass(trained: denoisplit.Run) -> None:
    count = 40
    found = [trained.predict(field.mean(0)).verdict.status for field in channels(trained, count=count)]
    alarms = found.count("unlike")
    assert alarms + found.count("like") == count
    assert alarms <= FALSE_ALARMS * count + 3 * np.sqrt(FALSE_ALARMS * count)


def test_size_and_seed_do_not_matter(trained: denoisplit.Run) -> None:
    (large,) = channels(trained, size=200)
    for image in (large.mean(0), large.mean(0)[:40, :30], large.mean(0)[:9, :7]):
        for seed in (0, 1):
            assert trained.predict(image, seed=seed, samples=1).verdict.status == "like"


def blocks(mixed: Float32Array) -> Float32Array:
    """A chequered image with the same mean, contrast and noise."""
    rng = np.random.default_rng(0)
    pattern = np.kron(rng.random((12, 12)) < 0.5, np.ones((8, 8)))
    sigma = noise_level(mixed.astype(np.float64))
    contrast = np.sqrt(mixed.var() - sigma**2)
    return np.asarray(mixed.mean() + contrast * (2 * pattern - 1) + rng.normal(0, sigma, mixed.shape))


CHANGES: dict[str, tuple[Callable[[Float32Array], Any], set[str]]] = {
    "doubled gain": (lambda observed: 100 + 2 * (observed.mean(0) - 100), {"gain", "noise"}),
    "added offset": (lambda observed: observed.mean(0) + 200, {"offset", "mixture"}),
    "other structures": (lambda observed: blocks(observed.mean(0)), {"structure"}),
    "all noise": (
        lambda observed: np.random.default_rng(0).normal(observed.mean(), 12, observed.shape[1:]),
        {"structure"},
    ),
    "more noise": (
        lambda observed: observed.mean(0) + np.random.default_rng(0).normal(0, 25, observed.shape[1:]),
        {"noise", "mixture"},
    ),
    "saturated": (
        lambda observed: np.minimum(observed.mean(0), np.quantile(observed.mean(0), 0.97)),
        {"saturation"},
    ),
    "sum instead of mean": (lambda observed: observed.sum(0), {"mixture", "offset"}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_wrong_is_named(trained: denoisplit.Run, change: str) -> None:
    alter, expected = CHANGES[change]
    (observed,) = channels(trained)
    assert checks(trained, observed.mean(0)) == set()
    assert expected <= checks(trained, np.asarray(alter(observed)))


def test_an_offset_is_no_gain_and_saturation_no_offset(trained: denoisplit.Run) -> None:
    (observed,) = channels(trained)
    assert not checks(trained, observed.mean(0) + 200) & {"gain", "noise", "structure", "saturation"}
    assert not checks(trained, np.asarray(CHANGES["saturated"][0](observed))) & {"offset", "noise"}


def test_the_map_has_the_axes_of_the_prediction_and_the_number_as_its_mean(trained: denoisplit.Run) -> None:
    stack = np.stack([field.mean(0) for field in channels(trained, count=3, size=40)])
    stack[1] += 200
    prediction = trained.predict(stack, axes="tyx")
    verdict = prediction.verdict
    assert verdict.chi_square_map is not None
    assert (
        verdict.chi_square_map.shape == prediction.mean.shape[:1] + prediction.mean.shape[2:] == (3, 40, 40)
    )
    assert verdict.chi_square == pytest.approx(verdict.chi_square_map.mean(), rel=1e-4)
    assert verdict.chi_square_map[1].mean() > 5 * verdict.chi_square_map[[0, 2]].mean()
    assert verdict.status == "unlike"
    assert "(t=1)" in str(verdict)
    assert "(t=0)" not in str(verdict)


def test_tiles_do_not_matter(trained: denoisplit.Run) -> None:
    (observed,) = channels(trained, size=160)
    whole, tiled = (trained.predict(observed.mean(0), tile=tile).verdict for tile in (0, 32))
    assert whole.chi_square_map is not None
    assert tiled.chi_square_map is not None
    np.testing.assert_allclose(tiled.chi_square_map, whole.chi_square_map, rtol=1e-3, atol=1e-3)


def test_the_command_says_it_and_strict_makes_it_an_exit_code(
    trained: denoisplit.Run, tmp_path: Path
) -> None:
    (observed,) = channels(trained)
    good, bad = tmp_path / "good.tif", tmp_path / "bad.tif"
    tifffile.imwrite(good, observed.mean(0))
    tifffile.imwrite(bad, (observed.mean(0) + 200))
    out = tmp_path / "out.ome.tif"
    result = command("predict", trained.path, good, "--out", out, "--strict")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == "Verdict: looks like the training images"
    assert command("predict", trained.path, bad, "--out", out, "--overwrite").exit_code == 0
    chosen = command(
        "predict", trained.path, bad, "--out", out, "--overwrite", "--output", "mean", "--strict"
    )
    assert chosen.exit_code == 3
    out.unlink()
    result = command("predict", trained.path, bad, "--out", out, "--strict")
    assert result.exit_code == 3
    assert result.stdout.splitlines()[-1].startswith(
        "Verdict: unlike the training images: offset: its darkest"
    )
    assert out.is_file()


def test_a_run_of_an_early_version_says_unknown(trained: denoisplit.Run, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(trained.path, copy)
    description = copy / "model.json"
    plain = json.loads(description.read_text())
    assert plain["reference"]["spreads"]["mixture"]["count"] >= 4
    del plain["reference"]
    write_mapping(description, plain)
    (observed,) = channels(trained)
    prediction = denoisplit.load(copy).predict(observed.mean(0))
    assert prediction.verdict.status == "unknown"
    assert prediction.verdict.chi_square is None
    np.testing.assert_array_equal(prediction.mean, trained.predict(observed.mean(0)).mean)
    image = tmp_path / "image.tif"
    tifffile.imwrite(image, observed.mean(0))
    result = command("predict", copy, image, "--out", tmp_path / "out.tif", "--strict")
    assert result.exit_code == 3
    assert "Verdict: unknown: " in result.stdout


def test_saturation_is_seen_in_the_pixel_type(trained: denoisplit.Run) -> None:
    (observed,) = channels(trained)
    mixed = observed.mean(0)
    counts = np.round(mixed).astype(np.uint8)
    brightest = np.argsort(mixed, axis=None)[-5:]
    counts.flat[brightest] = 255
    findings = {finding.check for finding in trained.predict(counts).verdict.findings}
    assert "saturation" in findings
    assert "saturation" not in {f.check for f in trained.predict(counts.astype(np.uint16)).verdict.findings}
