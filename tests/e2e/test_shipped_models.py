"""Trained networks that come with denoisplit: they are listed, copied and started from; damage is told."""

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch

import denoisplit
from denoisplit.core.errors import RunError
from denoisplit.core.storage.run_folder import RunFolder
from denoisplit.core.storage.states import load_weights
from tests.cli.refusals import refused, run
from tests.storage.shipping import NAME, ship, write_list
from tests.training.test_fit import SPEC
from tests.training.test_starting import NONE


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    folder = tmp_path_factory.mktemp("trained")
    (folder / "spec.yaml").write_text(SPEC, encoding="utf-8")
    return denoisplit.train(folder / "spec.yaml", folder / "run", overrides=["training.keep=last"]).folder


@pytest.fixture
def shipped(trained: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    (tmp_path / "spec.yaml").write_text(SPEC, encoding="utf-8")
    return ship(trained, tmp_path / "pretrained", monkeypatch)


def test_models_are_listed(shipped: RunFolder) -> None:
    shown = run("models", "list")
    assert shown.exit_code == 0
    assert NAME in shown.stdout
    assert "filaments, puncta" in shown.stdout
    (model,) = json.loads(run("models", "list", "--json").stdout)["models"]
    assert model["name"] == NAME
    assert {file["name"] for file in model["files"]} == {shipped.weights.name, shipped.bundle.name}


def test_a_copy_is_a_run_as_any_other(shipped: RunFolder, trained: RunFolder, tmp_path: Path) -> None:
    out = tmp_path / "my runs" / "mine"
    copied = run("models", "get", NAME, "--out", out)
    assert copied.exit_code == 0
    words = ["denoisplit", "predict", str(out), "IMAGE", "--out", "PREDICTION.ome.tif"]
    assert shlex.split(copied.stdout.splitlines()[-1]) == ["Next:", *words]
    pixels = np.random.default_rng(0).normal(200, 40, (32, 32)).astype(np.float32)
    tifffile.imwrite(tmp_path / "mixed.tif", pixels)
    result = run("predict", out, tmp_path / "mixed.tif", "--out", tmp_path / "split.tif", "--samples", 2)
    assert result.exit_code == 0, result.output
    expected = denoisplit.load(trained.path).predict(pixels, samples=2).mean
    assert np.array_equal(denoisplit.load(out).predict(pixels, samples=2).mean, expected)


def test_a_model_that_was_not_copied_is_no_run(shipped: RunFolder) -> None:
    said = f"Copy it with 'denoisplit models get {NAME} --out RUN'."
    refused(run("predict", f"model:{NAME}", "mixed.tif", "--out", "split.tif"), said)
    with pytest.raises(RunError, match="is the name of a model, not of a run folder"):
        denoisplit.load(f"model:{NAME}")


def test_a_copy_replaces_nothing(shipped: RunFolder, tmp_path: Path) -> None:
    refused(run("models", "get", NAME, "--out", tmp_path), "is not an empty folder")
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    refused(run("models", "get", NAME, "--out", tmp_path / "file"), "is not an empty folder")
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"


def test_a_training_starts_from_a_model_wherever_its_spec_lies(shipped: RunFolder, tmp_path: Path) -> None:
    start = f"training.start_from=model:{NAME}"
    found = denoisplit.train(tmp_path / "spec.yaml", tmp_path / "run", overrides=[start, *NONE])
    theirs, ours = load_weights(shipped.weights), load_weights(found.folder.weights)
    learnt = [name for name in theirs if name.endswith("weight") and name.startswith(("encoder", "decoder"))]
    assert learnt
    assert all(torch.allclose(ours[name], theirs[name]) for name in learnt)
    kept = denoisplit.load(tmp_path / "run").bundle
    assert kept.start is not None
    assert kept.start.run == f"model:{NAME}"
    assert kept.spec.training.start_from == Path(f"model:{NAME}"), "not a path of this computer"


def test_an_unknown_name_is_told_with_a_close_one(shipped: RunFolder, tmp_path: Path) -> None:
    spec, known = tmp_path / "spec.yaml", f"training.start_from=model:{NAME}"
    assert run("check", spec, "--set", known).exit_code == 0
    result = run("check", spec, "--set", "training.start_from=model:lines-and-dogs")
    refused(result, "dogs: no such model (got 'lines-and-dogs')", f"Did you mean {NAME}?")
    for checked in (("check",), ("data", "check")):
        result = run(*checked, spec, "--set", "training.start_from=model:xyz")
        assert result.exit_code == 2
        assert "training.start_from" in result.output
        assert f": no such model (got 'xyz'). There is {NAME}; " in result.output
    result = run("models", "get", "lines-and-dogs", "--out", tmp_path / "out")
    refused(result, "models get: no such model (got 'lines-and-dogs')", f"Did you mean {NAME}?")
    assert not (tmp_path / "out").exists()


def test_other_bytes_than_the_shipped_ones_are_told(shipped: RunFolder, tmp_path: Path) -> None:
    content = bytearray(shipped.weights.read_bytes())
    content[-1] ^= 1
    shipped.weights.write_bytes(bytes(content))
    said = "model.safetensors: is not the file that was shipped (got SHA-256 "
    refused(run("models", "get", NAME, "--out", tmp_path / "out"), said, "Install denoisplit again.")
    assert not (tmp_path / "out").exists()
    refused(run("check", tmp_path / "spec.yaml", "--set", f"training.start_from=model:{NAME}"), said)
    shipped.weights.unlink()
    refused(run("models", "get", NAME, "--out", tmp_path / "out"), "model.safetensors: is missing")


def test_a_damaged_list_is_told(shipped: RunFolder, tmp_path: Path) -> None:
    write_list(tmp_path / "pretrained", shipped, channels=[])
    refused(run("models", "list"), "models.yaml: is not a list of models", "channels")
    (tmp_path / "pretrained" / "models.yaml").write_text("[]", encoding="utf-8")
    refused(run("models", "list"), "models.yaml: is not a list of models")
