"""Runs whose calibrators see the mean, or give intervals only: training, prediction, evaluation, pictures."""

import json
import runpy
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from matplotlib.figure import Figure

import denoisplit
from denoisplit.core.network.calibrating import gives_std
from denoisplit.core.registry import installed_registry
from denoisplit.core.training.data.prepare import evaluation_fields
from tests.cli.refusals import noise
from tests.cli.refusals import run as command
from tests.testing.test_calibrator_sorts import block

SPEC = """
preset: altered-musplit
channels: [filaments, puncta]
data:
  train: {use: simulated, fields: 2, size: 20, seed: 1, structures: [filaments, puncta]}
  validation: {use: simulated, fields: 2, size: 24, seed: 2, structures: [filaments, puncta]}
  test: {use: simulated, fields: 1, size: 24, seed: 3, structures: [filaments, puncta]}
model: {encoder: {levels: 2, width: 4}, decoder: {latent_channels: 2}}
calibrator: {use: mine}
training: {steps: 2, batch: 1, patch: 16, validate_every: 2, checkpoint_every: 2, precision: float32}
prediction: {samples: 3}
"""


@pytest.fixture(scope="module", params=["DarkAndBright", "Skewed"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[denoisplit.Run]:
    """Trained with a calibrator of the page on extending, registered as in a notebook."""
    folder = tmp_path_factory.mktemp("sorts")
    (folder / "mine.py").write_text(block(request.param), encoding="utf-8")
    (folder / "spec.yaml").write_text(SPEC, encoding="utf-8")
    found = runpy.run_path(str(folder / "mine.py"))
    denoisplit.register("calibrator", "mine")(found[request.param])
    yield denoisplit.train(folder / "spec.yaml", folder / "run")
    installed_registry.cache_clear()


def has_std(run: denoisplit.Run) -> bool:
    return gives_std(run.spec.calibrator.build())


def test_every_pixel_is_calibrated_by_its_mean_and_std(run: denoisplit.Run) -> None:
    found = run.predict(noise(20, 24), output=["mean,std,calibrated_interval=0.8"])
    calibrator, calibration = run.spec.calibrator.build(), run.bundle.calibration
    assert calibration is not None
    images = [np.asarray(found.images[name])[None] for name in ("mean", "std")]
    low, high = calibrator.interval(calibration, *images, 0.8)
    np.testing.assert_allclose(found.images["calibrated interval 0.8 low"], low[0], rtol=1e-6)
    np.testing.assert_allclose(found.images["calibrated interval 0.8 high"], high[0], rtol=1e-6)
    if has_std(run):
        assert found.calibrated_std is not None
        np.testing.assert_allclose(found.calibrated_std, calibrator.apply(calibration, *images)[0], rtol=1e-6)


def test_what_there_is_is_predicted_and_what_there_is_not_is_told(
    run: denoisplit.Run, tmp_path: Path
) -> None:
    tifffile.imwrite(tmp_path / "mixed.tif", noise(20, 24))
    words = ("predict", run.path, tmp_path / "mixed.tif", "--out", tmp_path / "split.ome.tif")
    usual = command(*words)
    assert usual.exit_code == 0, usual.output
    assert ("filaments calibrated std" in usual.stdout) is has_std(run)
    assert ("gives intervals only" in usual.stderr) is not has_std(run)
    asked = command(*words, "--output", "mean,calibrated_std", "--overwrite")
    assert asked.exit_code == (0 if has_std(run) else 2), asked.output
    if not has_std(run):
        (line,) = asked.stderr.splitlines()
        assert "gives intervals only (got calibrated_std, by notebook/mine)" in line
        assert "calibrated_interval=0.9" in line


def test_what_there_is_is_scored_and_drawn(
    run: denoisplit.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What takes long is to turn figures into pixels.
    monkeypatch.setattr(Figure, "savefig", lambda self, path, **_: Path(path).write_bytes(b""))
    done = command(
        *("evaluate", run.path, "--json", tmp_path / "scores.json", "--figure", tmp_path / "field.png"),
        *("--figures", tmp_path / "figures"),
    )
    assert done.exit_code == 0, done.output
    scores = json.loads((tmp_path / "scores.json").read_text(encoding="utf-8"))
    _, (field,) = run.evaluate(evaluation_fields(run.spec, ceiling=run.bundle.ceiling)[1])
    for number, channel in enumerate(scores["uncertainty"]):
        assert (channel["after"] is not None) is has_std(run)
        covered = channel["after"]["coverage"] if has_std(run) else channel["intervals"]
        assert field.covered is not None
        expected = {level: inside[number].mean() for level, inside in field.covered.items()}
        assert {one["level"]: one["fraction"] for one in covered} == pytest.approx(expected)
    drawn = {path.name for path in (tmp_path / "figures").iterdir()}
    assert drawn >= {"calibration.png", "coverage.png", "errors.png", "maps.png", "samples.png"}
