"""What a finished run leaves on disk."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any, NoReturn

import pytest
from safetensors import safe_open

import denoisplit
from denoisplit.core.spec import load_spec
from denoisplit.core.storage.run_folder import RunFolder
from tests.e2e.experiment import CHANNELS, Experiment


@pytest.fixture
def folder(experiment: Experiment) -> RunFolder:
    return RunFolder(experiment.run)


def test_every_promised_file_is_there_and_nothing_half_written(folder: RunFolder) -> None:
    files = sorted(
        file.relative_to(folder.path).as_posix() for file in folder.path.rglob("*") if file.is_file()
    )
    assert files == [
        "checkpoints/resume.ckpt",
        "metrics.csv",
        "model.json",
        "model.safetensors",
        "spec.schema.json",
        "spec.yaml",
        "splits.json",
        "train.log",
    ]


def test_the_stored_spec_means_the_same(folder: RunFolder, experiment: Experiment) -> None:
    assert load_spec(folder.spec) == load_spec(experiment.spec) == denoisplit.load(folder.path).spec


def test_the_training_curve_has_a_row_per_validation(folder: RunFolder) -> None:
    with folder.metrics.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["2", "4"]
    for row in rows:
        for term in ("train_loss", "train_distortion", "train_rate_1", "val_loss", "learning_rate"):
            assert float(row[term]) == float(row[term])
        parts = float(row["train_distortion"]) + float(row["kl_weight"]) * float(row["train_rate"])
        assert float(row["train_loss"]) == pytest.approx(parts, rel=1e-5)
        split = [float(row[f"train_distortion_{c}"]) for c in range(2)]
        assert float(row["train_distortion"]) == pytest.approx(sum(split) / 2, rel=1e-5)


def test_the_log_tells_the_story(folder: RunFolder) -> None:
    log = folder.log.read_text(encoding="utf-8")
    for sentence in (
        "2 training fields, 1 validation fields, channels filaments, mitochondria",
        "noise model of filaments: fitted to",
        "calibrated on 1 held-out fields",
        "finished: weights of step",
    ):
        assert sentence in log


def test_the_description_is_strict_json_with_plain_values(folder: RunFolder) -> None:
    def refuse(constant: str) -> NoReturn:
        raise AssertionError(constant)

    plain = json.loads(folder.bundle.read_text(encoding="utf-8"), parse_constant=refuse)
    assert plain["format"] == 1
    assert plain["spec"]["channels"] == list(CHANNELS)
    assert set(plain["statistics"]) == {"mixed_mean", "mixed_std", "target_mean", "target_std"}
    assert plain["calibration"]["component"] == "denoisplit/scale"
    assert [report["channel"] for report in plain["noise_reports"]] == [0, 1]
    assert ["encoder", "denoisplit/ladder", denoisplit.__version__] in plain["components"]
    assert plain["steps"] == 4
    assert 1 <= plain["best_step"] <= 4
    # An import path would tie the run to where the code lies today.
    assert not [text for text in _texts(plain) if "denoisplit." in text]


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in [*value, *value.values()] for text in _texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [value] if isinstance(value, str) else []


def test_weights_hold_network_and_noise_model(folder: RunFolder) -> None:
    with safe_open(folder.weights, framework="pt") as file:
        names = set(file.keys())
    assert {"noise_model.weights", "noise_model.signal_range", "decoder.output.weight"} <= names
    assert {name.partition(".")[0] for name in names} == {"encoder", "decoder", "noise_model"}


def test_a_folder_with_something_in_it_is_taken(tmp_path: Path) -> None:
    RunFolder(tmp_path / "new").require_free()
    RunFolder(tmp_path).require_free()
    (tmp_path / "notes.txt").touch()
    for taken in (tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(
            denoisplit.errors.RunError, match=r"is not an empty folder\. Choose another --out\.$"
        ):
            RunFolder(taken).require_free()


def test_what_can_be_done_with_a_taken_folder_is_what_is_advised(folder: RunFolder, tmp_path: Path) -> None:
    """A training that failed in its first steps has no point to go on from."""
    run = RunFolder(tmp_path / "run")
    shutil.copytree(folder.path, run.path)
    with pytest.raises(denoisplit.errors.RunError, match=r"or continue the run with --resume\."):
        run.require_free()
    for file in (run.resume_point, run.bundle, run.weights):
        file.unlink()
    with pytest.raises(denoisplit.errors.RunError, match=r"Choose another --out, or delete this folder\."):
        run.require_free()
