"""A prediction whose workers or scheduler end says so in one line, and can be gone on with."""

import multiprocessing
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor
from pathlib import Path
from typing import Any

import distributed
import numpy as np
import pytest

import denoisplit
from denoisplit.core.errors import RunError
from denoisplit.core.prediction.files.spool import spool_of
from denoisplit.core.prediction.request import How
from denoisplit.plugins.executors.serial import Serial
from tests.cli.refusals import noise

HOW = How(samples=2, tile=16)

UNGUARDED = """
import denoisplit
denoisplit.load(%r).%s, samples=2, tile=16, executor=%r)
"""


@pytest.fixture
def cluster() -> Iterator[Any]:
    """A scheduler and a worker in threads of this process."""
    with distributed.LocalCluster(  # type: ignore[no-untyped-call]
        n_workers=1, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address=":0"
    ) as started:
        yield started


def on(cluster: Any, patience: float = 60) -> How:
    """Its workers do the jobs."""
    address = cluster.scheduler_address
    return How(executor={"use": "dask", "scheduler": address, "patience": patience}, **HOW)


def at_the_first_tile(act: Callable[[], object]) -> How:
    """Something happens when the first tile is done."""
    done: list[int] = []

    def tell(now: int, total: int) -> None:
        if not done:
            done.append(now)
            act()

    return How(progress=tell)


def test_a_killed_process_is_one_line_and_its_tiles_are_gone_on_with(
    run: denoisplit.Run, tmp_path: Path
) -> None:
    pixels, out = noise(40, 40), tmp_path / "a.ome.zarr"

    def kill() -> None:
        multiprocessing.active_children()[0].kill()

    how = at_the_first_tile(kill) | HOW
    with pytest.raises(RunError, match=r"a\.ome\.zarr: a worker ended before its job .* with --resume"):
        run.predict_file(pixels, out, **(how | How(executor="processes")))
    assert not out.exists()
    found = run.predict_file(pixels, out, **(HOW | How(resume=True)))
    np.testing.assert_array_equal(found.mean, run.predict(pixels, samples=2, tile=16).mean)
    assert not spool_of(out).exists()


@pytest.mark.parametrize(
    ("call", "executor", "error"),
    [
        ("predict_file('1.npy', 'a.npz'", "processes", "NoWorkersError"),
        ("predict_file('1.npy', 'a.npz'", "dask", "RunError"),
        ("predict_files(['1.npy', '2.npy'], 'out'", "processes", "NoWorkersError"),
    ],
)
def test_a_script_without_the_guard_is_told_of_it(
    call: str, executor: str, error: str, run: denoisplit.Run, tmp_path: Path
) -> None:
    script = tmp_path / "script.py"
    for name in ("1.npy", "2.npy"):
        np.save(tmp_path / name, noise(40, 40))
    script.write_text(UNGUARDED % (str(run.path), call, executor), encoding="utf-8")
    command = [sys.executable, "script.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.endswith("'if __name__ == \"__main__\":'.")
    assert last.startswith(f"denoisplit.core.errors.{error}: ")
    assert "LockedError" not in done.stderr  # the workers have not begun the same prediction


def test_a_shard_says_it_too(run: denoisplit.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Serial, workers: int) -> Executor:
        raise BrokenExecutor("killed")

    monkeypatch.setattr(Serial, "start", broken)
    with pytest.raises(RunError, match=r"a worker ended before its job \(got: killed\)"):
        run.predict_shard(noise(40, 40), tmp_path / "a.npz", "1/2", **(HOW | How(executor="serial")))


def test_a_cluster_gives_the_same_bits(run: denoisplit.Run, tmp_path: Path, cluster: Any) -> None:
    pixels = noise(40, 40)
    found = run.predict_file(pixels, tmp_path / "a.npz", **on(cluster))
    np.testing.assert_array_equal(found.mean, run.predict(pixels, samples=2, tile=16).mean)
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_a_scheduler_that_ends_is_one_line(
    run: denoisplit.Run, tmp_path: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("denoisplit.plugins.executors.dask._SECONDS", 1)
    how = on(cluster) | at_the_first_tile(cluster.close)
    with pytest.raises(RunError, match=r"the scheduler ended, .* \(got tcp://.* go on with --resume"):
        run.predict_file(noise(40, 40), tmp_path / "a.npz", **how)


def test_workers_that_do_not_come_are_one_line(run: denoisplit.Run, tmp_path: Path, cluster: Any) -> None:
    how = on(cluster, patience=0.5) | at_the_first_tile(lambda: cluster.scale(0))
    with pytest.raises(RunError, match=r"the scheduler has no workers \(got none for 0\.5 s at tcp://"):
        run.predict_file(noise(40, 40), tmp_path / "a.npz", **how)


def test_a_scheduler_that_is_not_there_is_one_line(
    run: denoisplit.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("denoisplit.plugins.executors.dask._SECONDS", 1)
    how = How(executor={"use": "dask", "scheduler": "tcp://127.0.0.1:9"})
    with pytest.raises(RunError, match=r"no scheduler answers \(got tcp://127\.0\.0\.1:9: "):
        run.predict_file(noise(40, 40), tmp_path / "a.npz", **(HOW | how))
    assert not list(tmp_path.iterdir())
