"""Nothing is lost and nothing is left, wherever a process is killed."""

from pathlib import Path

import pytest

from tests.e2e.kills import kill


@pytest.mark.slow
def test_killed_anywhere_nothing_is_lost_and_nothing_left(tmp_path: Path) -> None:
    counts = kill(4, tmp_path, seed=1)
    assert sum(counts.kills.values()) >= 16
    assert not counts.faults
