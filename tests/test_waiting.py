"""Threads that wait do not burn the processor, unless somebody wants that."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from denoisplit.core.waiting import CHOICES, SPINS, bound_spinning


@pytest.mark.parametrize("chosen", [{"GOMP_SPINCOUNT": "7"}, {"OMP_WAIT_POLICY": "active"}])
def test_what_somebody_has_chosen_stays(chosen: dict[str, str]) -> None:
    environment = dict(chosen)
    bound_spinning(environment)
    assert environment == chosen


WATCHED = """
import os, sys

NAME = sys.argv[1]

class Watch:
    def find_spec(self, name, *_):
        if name == "torch":
            print(os.environ.get(NAME))

sys.meta_path.insert(0, Watch())
"""


def test_it_is_bound_before_torch_is_loaded() -> None:
    """Whatever of the package is imported first."""
    plain = {name: value for name, value in os.environ.items() if name not in CHOICES}
    done = subprocess.run(
        [sys.executable, "-c", f"{WATCHED}import denoisplit.core.devices", "GOMP_SPINCOUNT"],
        capture_output=True,
        text=True,
        env=plain,
        check=True,
    )
    assert done.stdout.split() == [str(SPINS)]


@pytest.mark.parametrize(("chosen", "threads"), [({}, "1"), ({"OMP_NUM_THREADS": "3"}, "3")])
def test_the_demo_takes_one_thread_unless_somebody_has_chosen(
    tmp_path: Path, chosen: dict[str, str], threads: str
) -> None:
    """Known before torch is loaded; this demo ends early, because its folder is a file."""
    (tmp_path / "file").touch()
    code = f"{WATCHED}from denoisplit.cli import main; main(['demo', '--out', 'file'])"
    plain = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, "-c", code, "OMP_NUM_THREADS"],
        capture_output=True,
        text=True,
        env=plain | chosen,
        cwd=tmp_path,
        check=False,
    )
    assert done.stdout.split() == [threads]
    assert "is a file" in done.stderr
