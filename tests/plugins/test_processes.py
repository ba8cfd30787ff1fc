"""Worker processes end with the process that started them, however that ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from denoisplit.plugins.executors.processes import Processes

BUSY = """
import os, time
from denoisplit.plugins.executors.processes import Processes

with Processes(Processes.Options()).start(1) as pool:
    worker = pool.submit(os.getpid).result()
    pool.submit(time.sleep, 600)
    print(worker, flush=True)
    time.sleep(600)
"""
BEGINNING = """
import multiprocessing, os, time
from denoisplit.plugins.executors.processes import Processes

with Processes(Processes.Options()).start(2) as pool:
    # The second keeps the queue open that the first waits at.
    waiting = [pool.submit(time.sleep, 600) for _ in range(2)]
    print(multiprocessing.active_children()[0].pid, flush=True)
    time.sleep(600)
"""
"""Killed before its workers are ready: they are still importing."""
LONGEST = 60
"""Seconds that are waited for an end that comes at once."""


def _lives(process: int) -> bool:
    """Whether a process runs; one that has ended may wait for somebody to ask for its exit code."""
    try:
        state = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in ("Z", "X")


@pytest.mark.skipif(sys.platform != "linux", reason="looks at the processes of Linux")
@pytest.mark.parametrize("script", [BUSY, BEGINNING], ids=["busy", "beginning"])
def test_a_worker_ends_when_its_parent_is_killed(script: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        assert _lives(worker)
        parent.kill()
        parent.wait()
    deadline = time.monotonic() + LONGEST
    while _lives(worker) and time.monotonic() < deadline:
        time.sleep(0.01)
    if _lives(worker):
        os.kill(worker, signal.SIGKILL)
        pytest.fail("the worker went on without its parent")


@pytest.mark.parametrize(("here", "workers", "each"), [(1, 1, 1), (8, 2, 4), (2, 3, 1)])
def test_processes_share_the_threads_of_their_parent(
    monkeypatch: pytest.MonkeyPatch, here: int, workers: int, each: int
) -> None:
    monkeypatch.setattr("torch.get_num_threads", lambda: here)
    made: list[tuple[int, tuple[int, ...]]] = []

    class Pool:
        def __init__(self, *, max_workers: int, initargs: tuple[int, ...], **_: object) -> None:
            made.append((max_workers, initargs))

        def shutdown(self, *, cancel_futures: bool) -> None:
            assert cancel_futures

    monkeypatch.setattr("denoisplit.plugins.executors.processes.ProcessPoolExecutor", Pool)
    with Processes(Processes.Options()).start(workers):
        pass
    with Processes(Processes.Options(threads=7)).start(workers):
        pass
    assert made == [(workers, (each,)), (workers, (7,))]
