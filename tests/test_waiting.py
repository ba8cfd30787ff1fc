"""Threads that wait do not burn the processor, unless somebody wants that."""

import os
import subprocess
import sys

import pytest

from denoisplit.core.waiting import CHOICES, SPINS, bound_spinning


@pytest.mark.parametrize("chosen", [{"GOMP_SPINCOUNT": "7"}, {"OMP_WAIT_POLICY": "active"}])
def test_what_somebody_has_chosen_stays(chosen: dict[str, str]) -> None:
    environment = dict(chosen)
    bound_spinning(environment)
    assert environment == chosen


WATCHED = """
import os, sys

class Watch:
    def find_spec(self, name, *_):
        if name == "torch":
            print(os.environ.get("GOMP_SPINCOUNT"))

sys.meta_path.insert(0, Watch())
import denoisplit.core.devices
"""


def test_it_is_bound_before_torch_is_loaded() -> None:
    """Whatever of the package is imported first."""
    plain = {name: value for name, value in os.environ.items() if name not in CHOICES}
    done = subprocess.run(
        [sys.executable, "-c", WATCHED], capture_output=True, text=True, env=plain, check=True
    )
    assert done.stdout.split() == [str(SPINS)]
