"""Training and prediction need the same memory for images of any size; the operating system counts it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.large import SPEC, write_tiff, write_zarr

WRITERS = {"large.tif": write_tiff, "large.ome.zarr": write_zarr}


def run(*arguments: object) -> int:
    """Peak memory of another process, MiB."""
    command = [sys.executable, "-m", "tests.e2e.large", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return int(done.stdout.split()[-1])


def peaks(folder: Path, name: str, side: int, rows: int) -> tuple[int, int]:
    """Of a training and of a prediction of some rows."""
    folder.mkdir()
    WRITERS[name](folder / name, 2, side)
    spec = folder / "spec.yaml"
    spec.write_text(SPEC.format(folder=folder, name=name, memory=0), encoding="utf-8")
    trained = run("train", spec, folder / "run")
    return trained, run("predict", folder / "run", folder / name, folder / f"out-{name}", rows)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_image(tmp_path: Path) -> None:
    """From 8 MiB to 200 MiB of pixels, which are 400 MiB as float32."""
    small = peaks(tmp_path / "small", "large.tif", 1536, 512)
    large = peaks(tmp_path / "large", "large.tif", 7168, 512)
    assert all(after < 1.25 * before for before, after in zip(small, large, strict=True)), (small, large)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", list(WRITERS))
def test_three_gigabytes_in_under_two(tmp_path: Path, name: str) -> None:
    """A file of 3.3 GB; a prediction of 512 of its rows has the full width and many tiles."""
    found = peaks(tmp_path / "huge", name, 28672, 512)
    assert max(found) < 2000, found
