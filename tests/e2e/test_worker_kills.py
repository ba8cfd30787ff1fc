"""Nothing is lost and nothing is left, whichever process of a prediction is killed."""

import sys
from pathlib import Path

import pytest

from tests.e2e.worker_kills import KINDS, kill


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(sys.platform != "linux", reason="looks at the processes of Linux")
@pytest.mark.parametrize("kind", KINDS)
def test_a_process_is_killed(tmp_path: Path, kind: str) -> None:
    counts = kill(tmp_path, {kind: 1}, seed=1)
    assert sum(counts.kills[kind].values()) == 1
    assert not counts.faults
