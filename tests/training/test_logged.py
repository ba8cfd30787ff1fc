"""Loggers of a training: what they are told, and that they cannot stop it."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
import torch
from torch import Tensor

import denoisplit
from denoisplit.core.assessment.contact_sheet import SheetRow
from denoisplit.core.errors import MissingPackageError
from denoisplit.core.network.noise_source import GeneratorNoise
from denoisplit.core.registry import installed_registry
from denoisplit.core.spec import parse_spec, resolve
from denoisplit.core.spec.records import ResolvedSpec
from denoisplit.core.storage.run_folder import RunFolder
from denoisplit.core.training.fit import check, fit
from denoisplit.core.training.logger import Logger, Picture
from denoisplit.core.training.watchers import logged
from denoisplit.core.training.watchers.logged import loggers_of
from denoisplit.core.training.watchers.preview import SAMPLES, Preview
from denoisplit.core.training.watchers.watching import Moment, Watcher
from tests.network.small import counts, network

SPEC = """
preset: denoisplit
channels: [a, b]
data:
  train: {use: simulated, fields: 2, size: 32, seed: 1}
  validation: {use: simulated, fields: 1, size: 32, seed: 2}
model:
  encoder: {levels: 1, width: 4}
  decoder: {latent_channels: 2}
  noise_model: {use: gaussian}
training: {steps: 5, batch: 1, patch: 16, validate_every: 1, checkpoint_every: 2, precision: float32}
prediction: {samples: 2}
"""


class Notes(Logger):
    """Notes what it is told, in a list that outlives it."""

    takes_pictures = True
    told: list[tuple[Any, ...]] = []  # noqa: RUF012 - the instances are made by the training

    @attrs.frozen
    class Options:
        """At which call it fails."""

        fails: str = ""

    def _note(self, *said: Any) -> None:
        self.told.append(said)
        if said[0] == self.options.fails:
            raise ConnectionError("no network\nat all")

    def begin(self, about: Mapping[str, Any], *, step: int) -> None:
        self._note("begin", about["channels"], step)

    def values(self, step: int, numbers: Mapping[str, float]) -> None:
        self._note("values", step, sorted(numbers))

    def picture(self, step: int, title: str, pixels: Picture) -> None:
        self._note("picture", step, title, pixels.dtype, pixels.shape[2])

    def end(self, *, finished: bool) -> None:
        self._note("end", finished)

    def state_dict(self) -> dict[str, Any]:
        self._note("state_dict")
        return {"told": len(self.told)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._note("load_state_dict", state_dict["told"])


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    denoisplit.register("logger", "notes")(Notes)
    monkeypatch.setattr(Notes, "told", [])
    monkeypatch.setattr(logged, "PICTURE_EVERY", 2)


def resolved(*named: str) -> ResolvedSpec:
    loggers = f"training.loggers=[{', '.join(named)}]"
    return resolve(parse_spec(SPEC, [loggers]), installed_registry())


def failing(call: str) -> str:
    return f"{{use: notes, fails: {call}}}"


def trained(spec: ResolvedSpec, out: Path, *watchers: Watcher, resume: bool = False) -> RunFolder:
    folder = RunFolder(out)
    fit(spec, folder, resume=resume, watchers=watchers)
    return folder


class Interrupt(Watcher):
    def stepped(self, now: Moment, loss: Tensor) -> None:
        if now.step == 5:
            raise KeyboardInterrupt


def calls(name: str) -> list[tuple[Any, ...]]:
    return [said[1:] for said in Notes.told if said[0] == name]


def test_a_logger_is_told_everything_and_the_training_is_the_same(tmp_path: Path) -> None:
    plain = trained(resolved(), tmp_path / "plain")
    found = trained(resolved("csv", "tensorboard", "notes"), tmp_path / "logged")
    assert found.weights.read_bytes() == plain.weights.read_bytes()
    assert found.metrics.read_text() == plain.metrics.read_text()
    assert calls("begin") == [(["a", "b"], 0)]
    names = ["kl_weight", "learning_rate", "train_distortion", "train_distortion_0", "train_distortion_1"]
    names += ["train_loss", "train_rate", "train_rate_0", "val_loss"]
    assert calls("values") == [(step, names) for step in range(1, 6)]
    assert calls("picture") == [(step, "validation", np.dtype(np.uint8), 3) for step in (2, 4, 5)]
    assert calls("end") == [(True,)]
    assert any((found.path / "tensorboard").iterdir())


def test_a_training_that_goes_on_tells_its_loggers(tmp_path: Path) -> None:
    spec = resolved("notes", "tensorboard")
    whole = trained(spec, tmp_path / "whole")
    Notes.told.clear()
    with pytest.raises(KeyboardInterrupt):
        trained(spec, tmp_path / "run", Interrupt())
    assert calls("end") == [(False,)]
    Notes.told.clear()
    found = trained(spec, tmp_path / "run", resume=True)
    assert [said[0] for said in Notes.told[:3]] == ["load_state_dict", "begin", "values"]
    assert calls("begin") == [(["a", "b"], 4)]
    assert calls("values")[0][0] == 5
    assert calls("end") == [(True,)]
    assert found.weights.read_bytes() == whole.weights.read_bytes()
    assert found.metrics.read_text() == whole.metrics.read_text()


def test_a_logger_may_come_when_a_training_goes_on(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        trained(resolved(), tmp_path / "run", Interrupt())
    run = trained(resolved("notes"), tmp_path / "run", resume=True)
    assert calls("begin") == [(["a", "b"], 4)]
    assert not calls("load_state_dict")
    assert run.is_finished


@pytest.mark.parametrize("call", ["begin", "values", "picture", "state_dict", "end"])
def test_a_logger_that_fails_is_told_once_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, call: str
) -> None:
    with caplog.at_level(logging.WARNING, "denoisplit.training"):
        found = trained(resolved(failing(call)), tmp_path / "run")
    assert found.is_finished
    lines = [record.getMessage() for record in caplog.records if "loggers" in record.getMessage()]
    reason = "ConnectionError: no network at all"
    assert lines == [f"training.loggers: notes fails ({reason}). It is left out, and the training goes on."]
    assert lines[0] in found.log.read_text(encoding="utf-8")
    assert [said[0] for said in Notes.told].index(call) == len(Notes.told) - 1, "it is asked again"


def test_pictures_that_cannot_be_drawn_are_told_once_and_stop_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def draw(*given: Any) -> Picture:
        tried.append(given)
        raise MemoryError("no room\nfor it")

    monkeypatch.setattr(Preview, "_draw", draw)
    with caplog.at_level(logging.WARNING, "denoisplit.training"):
        trained(resolved("notes", "tensorboard"), tmp_path / "run")
    lines = [record.getMessage() for record in caplog.records if "loggers" in record.getMessage()]
    assert lines == ["training.loggers: no more pictures are drawn (got: no room for it)"]
    assert len(tried) == 1
    assert calls("picture") == []
    assert len(calls("values")) == 5
    assert calls("end") == [(True,)]


def test_one_that_failed_at_the_beginning_is_begun_anew_when_the_training_goes_on(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        trained(resolved(failing("begin")), tmp_path / "run", Interrupt())
    Notes.told.clear()
    trained(resolved(failing("begin")), tmp_path / "run", resume=True)
    assert [said[0] for said in Notes.told] == ["begin"]


def test_what_is_missing_is_told_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    spec = resolved("wandb")
    for begin in (lambda: trained(spec, tmp_path / "run"), lambda: check(spec)):
        with pytest.raises(MissingPackageError, match=r"pip install 'denoisplit\[wandb\]'"):
            begin()
    assert not (tmp_path / "run").exists()


def test_every_run_has_its_table_once_and_names_are_told_apart(tmp_path: Path) -> None:
    found = loggers_of(resolved("notes", "csv", "notebook/notes", "denoisplit/csv"), tmp_path)
    assert [one.name for one in found] == ["csv", "notes", "notes_2"]


def test_a_run_stores_its_loggers(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC, encoding="utf-8")
    named = ["training.loggers=[tensorboard]"]
    run = denoisplit.train(tmp_path / "spec.yaml", tmp_path / "run", overrides=named)
    assert [one.component.qualified for one in run.spec.training.loggers] == ["denoisplit/tensorboard"]
    assert "use: denoisplit/tensorboard" in run.folder.spec.read_text(encoding="utf-8")


@pytest.mark.parametrize("size", [(13, 18), (3, 16, 16)], ids=["2d", "3d"])
def test_a_preview_shows_every_channel_and_leaves_the_network_alone(size: tuple[int, ...]) -> None:
    vse = network(rank=len(size)).train()
    before, state = {name: value.clone() for name, value in vse.state_dict().items()}, torch.get_rng_state()
    preview = Preview([counts(vse, size)], ["a", "b"])
    found = preview.at(3, vse)
    assert found is not None
    assert found.dtype == np.uint8
    assert found.shape[2] == 3
    assert found.std() > 20
    assert vse.training
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in vse.state_dict().items())
    assert preview.at(3, vse) is found
    again = preview.at(4, vse)
    assert again is not found
    np.testing.assert_array_equal(again, found)


def test_a_preview_has_mean_std_and_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[SheetRow] = []

    def sheet(given: list[SheetRow], columns: tuple[str, ...]) -> Picture:
        rows.extend(given)
        assert columns == ("mixed", "mean", "std", "sample")
        return np.zeros((1, 1, 3), dtype=np.uint8)

    monkeypatch.setattr("denoisplit.core.assessment.contact_sheet.sheet_pixels", sheet)
    vse = network()
    mixed, targets = counts(vse, (16, 16), batch=2)
    Preview([(mixed, targets)], ["a", "b"]).at(1, vse)
    noises = [GeneratorNoise(torch.Generator().manual_seed(n)) for n in range(SAMPLES)]
    with torch.inference_mode():
        signals = np.stack([vse.signal(vse.decode(mixed[:1], noise).output)[0].numpy() for noise in noises])
    assert [row.title for row in rows] == ["a", "b"]
    for c, row in enumerate(rows):
        expected = (mixed[0, 0], signals[:, c].mean(0), signals[:, c].std(0, ddof=1), signals[0, c])
        for found, wanted in zip(row.images, expected, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-2)
