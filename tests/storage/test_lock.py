"""The lock of a folder: held by one process, named in the refusal, gone with its process."""

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from denoisplit.core.errors import RunError
from denoisplit.core.storage.lock import LOCK, exclusive, require_unlocked

HOLD = """
import pathlib, sys, time
from denoisplit.core.storage.lock import exclusive
with exclusive(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_lock_refuses_everybody_else_and_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "run"
    with exclusive(folder):
        for attempt in (exclusive(folder).__enter__, partial(require_unlocked, folder)):
            with pytest.raises(
                RunError, match=rf"run: another program is writing .*got process {os.getpid()} on"
            ):
                attempt()
        assert (folder / LOCK).is_file()
    assert list(folder.iterdir()) == []
    with exclusive(folder):
        pass
    require_unlocked(folder)


def test_a_lock_dies_with_its_process(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(RunError, match=f"got process {process.pid} on"):
            require_unlocked(tmp_path)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert (tmp_path / LOCK).is_file()
    require_unlocked(tmp_path)
    with exclusive(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []
