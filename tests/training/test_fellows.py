"""What is said of a process that has ended, in plain words."""

import pytest
from torch import distributed

from denoisplit.core.errors import SpecError
from denoisplit.core.training.processes.other_processes import plainly

LOST = "the connection to another one was lost"
SILENT = "another one did not answer"
GLOO = "[../third_party/gloo/gloo/transport/tcp"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RuntimeError(f"{GLOO}/pair.cc:547] Connection closed by peer [10.0.0.2]:33445"), LOST),
        (RuntimeError(f"{GLOO}/pair.cc:534] Read error [10.0.0.2]:33: Connection reset by peer"), LOST),
        (distributed.DistNetworkError("failed to recv, got 0 bytes"), LOST),
        (RuntimeError(f"{GLOO}/unbound_buffer.cc:81] Timed out waiting 1800000ms for recv"), SILENT),
        (distributed.DistStoreError("wait timeout after 3600000ms, keys: /default_pg/0"), SILENT),
        (RuntimeError(f"[enforce fail at {GLOO[1:]}/device.cc:84] no address"), "RuntimeError: no address"),
        (OSError(28, "No space left: peer"), "OSError: [Errno 28] No space left: peer"),
        (SpecError(["training.batch: too large. Lower it."]), "training.batch: too large. Lower it."),
    ],
)
def test_connections_are_told_without_their_sources(error: Exception, words: str) -> None:
    assert plainly(error) == words
