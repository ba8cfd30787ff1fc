"""A disk without space is one line with the name that was given, and leaves nothing."""

import asyncio
import errno
import logging
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import click
import numpy as np
import pytest
import torch
import zarr
from click.testing import CliRunner
from zarr.core.buffer import Buffer, default_buffer_prototype

from denoisplit.cli import LazyGroup
from denoisplit.core.errors import ImageError
from denoisplit.core.images.bases import Image
from denoisplit.core.storage.atomic import write_text
from denoisplit.core.storage.image_files import save_image
from denoisplit.core.storage.json_records import write_mapping
from denoisplit.core.storage.states import save_state, save_weights
from denoisplit.core.training.watchers.log_file import log_file
from denoisplit.plugins.image_formats._zarr_store import settled

PIXELS = np.random.default_rng(0).normal(300, 40, (2, 200, 200)).astype(np.float32)
NUMBERS = {"weights": torch.zeros(20_000)}


@contextmanager
def full(most: int) -> Iterator[None]:
    """No file gets longer than so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


NAMES = ("p.ome.tif", "p.tif", "p.zarr", "p.ome.zarr", "p.h5", "p.npz", "p.mrc", "c.h5/p")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("most", [0, 300, 40_000])
def test_an_image(tmp_path: Path, name: str, most: int) -> None:
    if name == "c.h5/p":
        save_image(tmp_path / "c.h5", Image(data=PIXELS[0], axes="yx"))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*")}
    path = tmp_path / ("sub" if name[0] == "p" else "") / name
    with full(most), pytest.raises(ImageError) as caught:
        save_image(path, Image(data=PIXELS, axes="cyx"))
    line = str(caught.value)
    assert line.startswith(f"{tmp_path}/{'sub/p' if name[0] == 'p' else 'c.h5'}"), line
    assert ": it cannot be written (got: File too large). Check folder and space." in line
    assert "\n" not in line
    assert "part" not in line, "the hidden name"
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("name", ["p.zarr", "p.ome.zarr"])
def test_chunks_that_are_still_being_written_do_not_outlive_an_error(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, written, never = Event(), Event(), Event()
    store = zarr.storage.LocalStore
    write = store.set

    async def slow(self: zarr.storage.LocalStore, key: str, value: Buffer) -> None:
        if key.endswith("c/0/0/0"):
            await asyncio.to_thread(begun.wait, 10)
            raise OSError(errno.ENOSPC, "full")
        if key.endswith("c/1/0/0"):
            begun.set()
            await asyncio.to_thread(never.wait, 0.5)  # longer than it takes to remove a folder
            await write(self, key, value)
            written.set()
            return
        await write(self, key, value)

    monkeypatch.setattr(store, "set", slow)
    with pytest.raises(ImageError):
        save_image(tmp_path / "sub" / name, Image(data=PIXELS, axes="cyx"))
    assert written.wait(10)
    assert list(tmp_path.glob("*/*")) == []


def test_no_chunk_is_begun_after_the_end(tmp_path: Path) -> None:
    chunk = default_buffer_prototype().buffer.from_bytes(b"pixels")
    with settled(tmp_path / "p") as store:
        asyncio.run(store.set("c/0", chunk))
    with pytest.raises(OSError, match="c/1"):
        asyncio.run(store.set("c/1", chunk))
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["0"]


WRITERS: dict[str, Callable[[Path], object]] = {
    "text": lambda path: write_text(path, "x" * 50_000),
    "JSON": lambda path: write_mapping(path, {"a": "x" * 50_000}),
    "weights": lambda path: save_weights(path, NUMBERS),
    "state": lambda path: save_state(path, NUMBERS),
}


@pytest.mark.parametrize("what", WRITERS)
def test_a_file_of_a_run(tmp_path: Path, what: str) -> None:
    path = tmp_path / "run" / "file"
    WRITERS[what](path)
    before = path.read_bytes()

    class Writes(LazyGroup):
        def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
            del ctx, cmd_name
            return click.Command("write", callback=lambda: WRITERS[what](path))

    with full(1000):
        result = CliRunner().invoke(Writes(), ["write"])
    assert (result.exit_code, result.stderr) == (
        2,
        f"{path}: File too large. Check the path, permissions and space.\n",
    )
    assert {found: found.read_bytes() for found in path.parent.iterdir()} == {path: before}


def test_the_log_of_a_training_ends_without_a_word(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with log_file(tmp_path / "train.log"):
        logging.getLogger("denoisplit.training").info("first")
        with full((tmp_path / "train.log").stat().st_size):
            logging.getLogger("denoisplit.training").info("second")
    assert "first" in (tmp_path / "train.log").read_text()
    assert capfd.readouterr().err == ""
