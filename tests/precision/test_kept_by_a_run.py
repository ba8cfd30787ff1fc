"""A precision that was chosen holds: for all steps of a training, and for all workers of a prediction."""

from pathlib import Path
from typing import Any

import pytest
import tifffile
import torch
from safetensors.torch import load_file

import denoisplit
from denoisplit.core.errors import RunError
from denoisplit.core.network.vse import VSE
from denoisplit.core.precision.choice import VARIABLE, Choice
from denoisplit.core.prediction import network_of
from denoisplit.core.prediction.files.elsewhere import _work_of
from denoisplit.core.training import fit as fitting
from denoisplit.core.training.calibration.completing import complete
from denoisplit.core.training.watchers.watching import Moment, Watcher
from tests.cli.refusals import noise
from tests.training.test_fit import SPEC, Capture, Interrupt


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    file = tmp_path / "spec.yaml"
    file.write_text(SPEC.replace("precision: float32", "precision: auto"), encoding="utf-8")
    return file


class Dtypes(Capture):
    """Remembers in what the steps were done."""

    def __init__(self) -> None:
        self.seen: list[torch.dtype | None] = []

    def stepped(self, now: Moment, loss: torch.Tensor) -> None:
        self.seen.append(self.vse.network_dtype)


def test_a_resumed_training_goes_on_in_the_precision_it_was_begun_in(
    spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Law 12, on a machine that would choose another one."""
    monkeypatch.setenv(VARIABLE, "bf16")
    whole = denoisplit.train(spec, tmp_path / "whole")
    assert whole.vse.network_dtype == torch.bfloat16
    with pytest.raises(KeyboardInterrupt):
        denoisplit.train(spec, tmp_path / "cut", watchers=[Interrupt(4)])
    monkeypatch.setenv(VARIABLE, "float32")
    dtypes = Dtypes()
    cut = denoisplit.train(spec, tmp_path / "cut", resume=True, watchers=[dtypes])
    assert dtypes.seen == [torch.bfloat16] * 3
    weights = load_file(whole.folder.weights)
    assert all(torch.equal(weights[name], tensor) for name, tensor in load_file(cut.folder.weights).items())
    assert "precision of the training: bf16 (as the training was begun)" in cut.folder.log.read_text()
    assert cut.vse.network_dtype is None  # what is opened here predicts as this machine does best


def test_training_and_calibration_choose_for_themselves(
    spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = {"training": "bf16", "prediction": "float32"}
    monkeypatch.setattr(
        fitting, "choose", lambda _spec, _vse, _device, purpose: Choice(chosen[purpose], "said")
    )
    seen: list[torch.dtype | None] = []

    def watched(vse: VSE, *rest: Any) -> object:
        seen.append(vse.network_dtype)
        return complete(vse, *rest)

    monkeypatch.setattr(fitting, "complete", watched)
    dtypes = Dtypes()
    run = denoisplit.train(spec, tmp_path / "run", watchers=[dtypes])
    assert dtypes.seen == [torch.bfloat16] * 6
    assert seen == [None]
    text = run.folder.log.read_text()
    assert "training on cpu\n" in text
    assert "precision of the training: bf16 (said)" in text
    assert "precision of the calibration: float32 (said)" in text


def test_a_deterministic_training_gives_the_same_bits(spec: Path, tmp_path: Path) -> None:
    """On a processor, where every training is."""
    seen: list[bool] = []

    class Look(Watcher):
        def stepped(self, now: Moment, loss: torch.Tensor) -> None:
            seen.append(torch.are_deterministic_algorithms_enabled())

    usual = denoisplit.train(spec, tmp_path / "usual", watchers=[Look()])
    told = denoisplit.train(
        spec, tmp_path / "told", overrides=["training.deterministic=true"], watchers=[Look()]
    )
    assert seen == [False] * 6 + [True] * 6
    weights = load_file(usual.folder.weights)
    assert all(torch.equal(weights[name], tensor) for name, tensor in load_file(told.folder.weights).items())


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> denoisplit.Run:
    folder = tmp_path_factory.mktemp("run")
    (folder / "spec.yaml").write_text(SPEC.replace("precision: float32", "precision: auto"), encoding="utf-8")
    return denoisplit.train(folder / "spec.yaml", folder / "run")


def test_workers_elsewhere_take_what_was_chosen_here(
    run: denoisplit.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "bf16")
    here = denoisplit.load(run.path)
    assert here.vse.network_dtype == torch.bfloat16
    expected = here.predict(noise(40, 24), samples=2, tile=16)
    # As on another machine, or with a cache that was lost since.
    monkeypatch.setenv(VARIABLE, "float32")
    image = tmp_path / "a.tif"
    tifffile.imwrite(image, noise(40, 24))
    found = here.predict_file(image, tmp_path / "b.npz", samples=2, tile=16, executor="processes")
    assert (found.mean == expected.mean).all()


def test_nobody_chooses_again_who_was_told(run: denoisplit.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def choose(*_: object) -> None:
        raise AssertionError("chose again")

    monkeypatch.setattr(network_of, "choose", choose)
    vse, _ = network_of.load_network(run.folder, "cpu", "bf16")
    assert vse.network_dtype == torch.bfloat16
    _work_of.cache_clear()


def test_a_prediction_does_not_go_on_in_another_precision(
    run: denoisplit.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(done: int, total: int) -> None:
        if done > total // 2:
            raise KeyboardInterrupt

    image, out = noise(40, 24), tmp_path / "a.npz"
    with pytest.raises(KeyboardInterrupt):
        denoisplit.load(run.path).predict_file(image, out, samples=2, tile=16, progress=stop)
    monkeypatch.setenv(VARIABLE, "bf16")
    other = denoisplit.load(run.path)
    with pytest.raises(RunError, match=r"another prediction \(differs in: precision\)"):
        other.predict_file(image, out, samples=2, tile=16, resume=True)
