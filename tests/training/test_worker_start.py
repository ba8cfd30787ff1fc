"""Workers of a training that end."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from torch._utils import ExceptionWrapper

from denoisplit.core.errors import BrokenPluginError, SpecError
from denoisplit.core.training.processes.worker_start import explained, require_start
from tests.training.test_fit import SPEC

UNGUARDED = """
import denoisplit
overrides = ["data.train.fields=4", "data.train.size=64", "training.workers=1"]
denoisplit.train("spec.yaml", "run", overrides=overrides)
"""
"""A training whose images are larger than the 64 KiB that a pipe takes before somebody reads them."""


def test_a_script_without_the_guard_ends_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC, encoding="utf-8")
    (tmp_path / "script.py").write_text(UNGUARDED, encoding="utf-8")
    command = [sys.executable, "script.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 1
    assert done.stderr.count("Traceback") == 1  # none of a worker
    last = done.stderr.splitlines()[-1]
    assert "training.workers: a worker process ended as it started (got 1)" in last
    assert last.endswith("'if __name__ == \"__main__\":', or set training.workers to 0.")
    assert not (tmp_path / "run").exists()


def test_no_process_is_started_to_see_where_there_are_no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("denoisplit.core.training.processes.worker_start.can_start", lambda: False)
    require_start(0)
    with pytest.raises(SpecError, match=r"\(got 2\)"):
        require_start(2)


def test_the_training_that_lost_its_workers_says_what_to_do() -> None:
    lost = RuntimeError("DataLoader worker (pid(s) 7) exited unexpectedly")
    with (
        pytest.raises(SpecError, match=r"training\.workers: .*more memory.*training\.workers to 0"),
        explained(2),
    ):
        raise lost
    with pytest.raises(RuntimeError, match="something else"), explained(2):
        raise RuntimeError("something else")


def test_what_a_worker_refuses_is_told_as_without_workers() -> None:
    """Torch puts the traceback of the worker before it."""
    wrapped: Any = ExceptionWrapper  # it has no type hints
    try:
        raise BrokenPluginError("augmentation lab/odd: fails. Repair it.")
    except BrokenPluginError:
        caught = wrapped(where="in DataLoader worker process 0")
    with pytest.raises(BrokenPluginError) as told, explained(1):
        caught.reraise()
    assert str(told.value) == "augmentation lab/odd: fails. Repair it."
    with pytest.raises(BrokenPluginError, match=r"^of the process itself$"), explained(1):
        raise BrokenPluginError("of the process itself")
