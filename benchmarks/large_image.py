"""Predict a large image into OME-Zarr, and print the largest resident memory of every process.

python -m benchmarks.large_image --side 32768 --workers 2

A tiny network and one sample: the memory that has to stay flat does not depend on them. Linux only.
"""

import os
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Final

import click

from benchmarks.children import CHILD, run
from benchmarks.peak import resident
from denoisplit.core.images.io import open_image
from denoisplit.core.storage.image_files import installed_formats

NETWORK: Final = ("2", "4", "2")
"""Levels, width and latent channels."""

_MARK: Final = "DENOISPLIT_LARGE_IMAGE"
_SECONDS: Final = 0.5


def marked(mark: str) -> list[Path]:
    """Return the folders in /proc of a command with this mark and of all processes that it started."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                environment = (folder / "environ").read_bytes().split(b"\0")
            except OSError:  # it has ended, or belongs to another user
                continue
            if f"{_MARK}={mark}".encode() in environment:
                found.append(folder)
    return found


def peaks(words: list[str]) -> dict[str, float]:
    """Return the largest resident memory of all processes of a command, MiB, by name and number.

    Raises:
        RuntimeError: the command failed.
    """
    mark = uuid.uuid4().hex
    found: dict[str, float] = {}
    environment = {**os.environ, _MARK: mark}
    # Our own interpreter and our own code.
    with subprocess.Popen([sys.executable, *words], env=environment) as command:  # noqa: S603
        while command.poll() is None:
            for folder in marked(mark):
                try:
                    name = "command" if int(folder.name) == command.pid else _kind(folder)
                    found[f"{name} {folder.name}"] = resident(folder / "status")
                except (OSError, StopIteration):  # it is ending
                    continue
            time.sleep(_SECONDS)
    if command.returncode:
        raise RuntimeError(f"the command failed (got {command.returncode})")
    return found


def _kind(folder: Path) -> str:
    words = (folder / "cmdline").read_bytes().decode(errors="replace")
    return "worker" if "spawn_main" in words else "helper"


@click.command()
@click.option("--side", type=click.IntRange(min=64), default=32768, show_default=True, help="Pixels.")
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--executor", default="processes", show_default=True)
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), help="Folder for the files.")
def main(side: int, workers: int, executor: str, folder: Path | None) -> None:
    """Predict SIDE x SIDE pixels."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        trained, image, out = (Path(name) / part for part in ("run", "mixed.tif", "split.ome.zarr"))
        run("-m", CHILD, "store", str(trained), *NETWORK)
        run("-m", CHILD, "image", str(image), str(side))
        predict = ["-m", "denoisplit", "predict", str(trained), str(image)]
        how = ["--samples", "1", "--output", "mean", "--executor", executor, "--workers", str(workers)]
        subprocess.run([sys.executable, *predict, *how, "--dry-run"], check=True)  # noqa: S603
        start, before = time.perf_counter(), os.times()
        found = peaks([*predict, *how, "--out", str(out)])
        took, after = time.perf_counter() - start, os.times()
        busy = sum(after[2:4]) - sum(before[2:4])
        shape = open_image(out, installed_formats()).data.shape
    for process, most in sorted(found.items()):
        click.echo(f"{process}: {most:.0f} MiB")
    click.echo(f"result {'x'.join(map(str, shape))}, {took:.0f} s, {busy:.0f} s of the processor")


if __name__ == "__main__":
    main()
