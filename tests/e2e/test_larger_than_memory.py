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


def peaks(folder: Path, name: str, side: int, rows: int) -> tuple[int, int, int]:
    """Of a training, of a look at its data and of a prediction of some rows."""
    folder.mkdir()
    WRITERS[name](folder / name, 2, side)
    spec = folder / "spec.yaml"
    files = f'use: folder, observed: "{name}"'
    spec.write_text(SPEC.format(folder=folder, files=files, memory=0, noise=0.0), encoding="utf-8")
    trained, checked = run("train", spec, folder / "run"), run("check", spec, folder / "sheet.png")
    return trained, checked, run("predict", folder / "run", folder / name, folder / f"out-{name}", rows)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_image(tmp_path: Path) -> None:
    """From 8 MiB to 200 MiB of pixels, which are 400 MiB as float32."""
    small = peaks(tmp_path / "small", "large.tif", 1536, 512)
    large = peaks(tmp_path / "large", "large.tif", 7168, 512)
    trained, checked, predicted = large
    assert trained < 1.25 * small[0], (small, large)
    assert predicted < 1.25 * small[2], (small, large)
    # A small field is less than a block of pixels; a look at a large one needs less than training.
    assert checked < 1.25 * small[0], (small, large)


def peak_of_noisy_channels(folder: Path, side: int) -> int:
    """Of a training on files of one channel each, made noisier."""
    for name in "ab":
        (folder / name).mkdir(parents=True)
        write_tiff(folder / name / "large.tif", 1, side)
    spec = folder / "spec.yaml"
    text = SPEC.format(folder=folder, files="use: channel_files", memory=0, noise=20.0)
    spec.write_text(text, encoding="utf-8")
    return run("train", spec, folder / "run")


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_memory_does_not_grow_with_noisy_channels_in_files_of_their_own(tmp_path: Path) -> None:
    small, large = (peak_of_noisy_channels(tmp_path / str(side), side) for side in (1536, 7168))
    assert large < 1.35 * small, (small, large)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", list(WRITERS))
def test_three_gigabytes_in_under_two(tmp_path: Path, name: str) -> None:
    """A file of 3.3 GB; a prediction of 512 of its rows has the full width and many tiles."""
    found = peaks(tmp_path / "huge", name, 28672, 512)
    assert max(found) < 2000, found
