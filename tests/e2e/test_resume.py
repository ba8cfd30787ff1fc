"""Law 12: training killed at any step and resumed equals training that never stopped, bit for bit."""

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import denoisplit
from denoisplit.core.storage.run_folder import RunFolder
from tests.e2e.specs import write_tiny

STEPS = 60


def _overrides(workers: int) -> list[str]:
    return [f"training.workers={workers}", f"training.steps={STEPS}"]


def _start(spec: Path, out: Path, workers: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "denoisplit", "train", str(spec), "--out", str(out)]
    return subprocess.Popen(
        [*command, *(f"--set={override}" for override in _overrides(workers))],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # Threads would wait for each other in networks this small.
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def _last_step(folder: RunFolder) -> int:
    if not folder.resume_point.is_file():
        return 0
    return int(torch.load(folder.resume_point, weights_only=True)["step"])


def _rows(folder: RunFolder) -> list[dict[str, str]]:
    with folder.metrics.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _described(folder: RunFolder) -> dict[str, object]:
    """What the run says of itself, but for the processes that prepared its patches."""
    plain: dict[str, Any] = json.loads(folder.bundle.read_text())
    del plain["sha256"], plain["spec"]["training"]["workers"]
    return plain


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A training that never stopped, and needs no process of its own."""
    folder = tmp_path_factory.mktemp("whole")
    return denoisplit.train(write_tiny(folder), folder / "run", overrides=_overrides(0)).folder


# With workers, two processes more are lost at the kill.
@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_killed_training_resumes_bit_for_bit(tmp_path: Path, workers: int, whole: RunFolder) -> None:
    spec, killed = write_tiny(tmp_path), RunFolder(tmp_path / "killed")
    process = _start(spec, killed.path, workers)
    deadline = time.monotonic() + 120
    while _last_step(killed) < 5 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    # The kill comes at a step that nobody chose: the training has its own pace.
    time.sleep(random.Random(time.time_ns()).uniform(0, 0.15))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not killed.bundle.exists()
    denoisplit.train(spec, killed.path, overrides=_overrides(workers), resume=True)

    expected, found = load_file(whole.weights), load_file(killed.weights)
    assert expected.keys() == found.keys()
    for name, tensor in expected.items():
        assert torch.equal(tensor, found[name]), name
    assert _rows(whole) == _rows(killed)
    assert [int(row["step"]) for row in _rows(whole)] == list(range(6, STEPS + 1, 6))
    assert _described(whole) == _described(killed)
