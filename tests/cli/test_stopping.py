"""Commands that are stopped by Ctrl-C or SIGTERM: exit code, one line, and a command that goes on."""

import os
import shlex
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from torch import Tensor

import denoisplit
from denoisplit.cli import main
from denoisplit.core.storage.run_folder import RunFolder
from denoisplit.core.training.watchers.watching import Moment, Watcher
from tests.e2e.test_sequence import DENOISE, SPLIT
from tests.training.test_fit import SPEC

OVERRIDE = "channels=[filaments, it's]"


class Signal(Watcher):
    """Sends this process a signal at the end of a step."""

    def __init__(self, step: int, number: signal.Signals) -> None:
        self.step, self.number = step, number

    def stepped(self, now: Moment, loss: Tensor) -> None:
        if now.step == self.step:
            os.kill(os.getpid(), self.number)


@pytest.fixture(autouse=True)
def _interruptible() -> Iterator[None]:
    """Ctrl-C counts, as on a terminal; the processes that run tests in parallel are deaf to it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose name a shell would split."""
    folder = tmp_path / "my runs"
    folder.mkdir()
    for name, text in (("spec.yaml", SPEC), ("denoise.yaml", DENOISE), ("split.yaml", SPLIT)):
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def _stopped(arguments: list[str], code: int, word: str) -> list[str]:
    """The arguments of the command that the last line names."""
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, result.stdout) == (code, ""), result.output
    assert "Traceback" not in result.stderr
    lines = result.stderr.splitlines()
    assert [line for line in lines if word in line] == lines[-1:]
    assert lines[-1].startswith(f"{word} Continue with: denoisplit ")
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
    return shlex.split(lines[-1].partition("Continue with: denoisplit ")[2])


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGINT, 130, "Interrupted."), (signal.SIGTERM, 143, "Terminated.")],
)
def test_a_stopped_training_says_so_and_how_to_go_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, code: int, word: str
) -> None:
    monkeypatch.setattr("denoisplit.core.training.fit.StepProgress", lambda *_: Signal(3, number))
    run = RunFolder(folder / "run")
    start = ["train", str(folder / "spec.yaml"), "--out", str(run.path), "--set", OVERRIDE, "--devices", "1"]
    command = _stopped(start, code, word)
    assert command == [*start, "--resume"]
    assert run.resume_point.is_file()
    assert not run.bundle.exists()
    monkeypatch.undo()
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    trained, further = result.stdout.splitlines()
    assert trained == f"Trained: {run.path}"
    words = ["denoisplit", "predict", str(run.path), "IMAGE", "--out", "PREDICTION.ome.tif"]
    assert shlex.split(further) == ["Next:", *words]


def test_a_calibration_that_is_terminated(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(
        "denoisplit.core.training.calibration.completing.calibrate_run",
        lambda *_, **__: os.kill(os.getpid(), signal.SIGTERM),
    )
    start = ["train", str(folder / "spec.yaml"), "--out", str(folder / "run")]
    assert _stopped(start, 143, "Terminated.") == [*start, "--resume"]
    caplog.clear()
    denoisplit.load(folder / "run")
    (record,) = caplog.records
    assert f"Finish it with 'denoisplit calibrate '{folder / 'run'}''" in record.getMessage()


def test_a_terminated_sequence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("denoisplit.core.training.fit.StepProgress", lambda *_: Signal(2, signal.SIGTERM))
    specs = [str(folder / "denoise.yaml"), str(folder / "split.yaml")]
    start = ["train-sequence", *specs, "--out", str(folder / "out")]
    changes = [
        "--set",
        "training.learning_rate=0.002",
        "--set-denoise",
        "training.batch=2",
        "--set-split",
        OVERRIDE,
    ]
    assert _stopped([*start, *changes], 143, "Terminated.") == [*start, *changes, "--resume"]


@pytest.mark.parametrize("command", ["train", "train-sequence"])
def test_what_had_not_begun_cannot_be_continued(
    folder: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """Nothing was written yet."""
    monkeypatch.setattr(
        "denoisplit.core.training.fit._initial", lambda *_: os.kill(os.getpid(), signal.SIGINT)
    )
    names = ["spec.yaml"] if command == "train" else ["denoise.yaml", "split.yaml"]
    specs = [str(folder / name) for name in names]
    result = CliRunner().invoke(main, [command, *specs, "--out", str(folder / "out")])
    assert (result.exit_code, result.stdout) == (130, "")
    assert result.stderr.splitlines()[-1] == "Interrupted."
    assert not (folder / "out").exists()
