"""What a file claims is compared with the file, the memory and the disk before any work begins."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from denoisplit.core.errors import ImageError
from denoisplit.core.images.bases import ImageLayout
from denoisplit.core.images.claims import check_claim
from denoisplit.core.images.io import open_image
from denoisplit.core.images.lazy import LazyPixels
from denoisplit.core.images.writing import raw_file
from denoisplit.core.storage.image_files import installed_formats

PIXELS = np.arange(60 * 40, dtype=np.uint16).reshape(60, 40)


def _zarr(path: Path, sides: list[int]) -> None:
    import zarr

    array: Any = zarr.create_array(str(path), shape=PIXELS.shape, dtype="uint16", chunks=(16, 16))
    array[:] = PIXELS
    described = json.loads((path / "zarr.json").read_text())
    (path / "zarr.json").write_text(json.dumps(described | {"shape": sides}))


def _hdf5(path: Path, sides: tuple[int, int]) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        file.create_dataset("data", sides, np.uint16, chunks=(16, 16))


def _tiff(path: Path, rows: int) -> None:
    tifffile.imwrite(path, PIXELS, compression="zlib", metadata=None)
    with tifffile.TiffFile(path, mode="r+") as tif:
        page = tif.pages.first
        page.tags["ImageLength"].overwrite(rows)
        page.tags["RowsPerStrip"].overwrite(rows)


def _npy(path: Path) -> None:
    np.save(path, PIXELS)
    begin = path.read_bytes()
    path.write_bytes(begin.replace(b"(60, 40), }" + b" " * 16, b"(4294967296, 4294967296), }"))


CLAIMS: dict[str, Callable[[Path], None]] = {
    "a.zarr": lambda path: _zarr(path, [2**31, 24]),
    "overflow.zarr": lambda path: _zarr(path, [2**32, 2**32]),
    "a.h5": lambda path: _hdf5(path, (2**34, 16)),
    "overflow.h5": lambda path: _hdf5(path, (2**34, 2**34)),
    "a.tif": lambda path: _tiff(path, 900_000_000),
    "overflow.npy": _npy,
}


@pytest.mark.parametrize("name", CLAIMS)
def test_more_pixels_than_the_file_can_hold_are_refused_at_once(tmp_path: Path, name: str) -> None:
    CLAIMS[name](tmp_path / name)
    begun = time.process_time()
    with pytest.raises(ImageError, match=r"no image has such sides|claims far more|truncated|readable"):
        open_image(tmp_path / name, installed_formats())
    assert time.process_time() - begun < 5  # most of it for imports


def test_images_that_are_mostly_empty_are_read(tmp_path: Path) -> None:
    """A constant image of 256 MiB takes a thousandth of that; small ones may be nothing but a fill value."""
    (tmp_path / "chunk").write_bytes(bytes(2**16))
    check_claim((2**14, 2**13), 2, tmp_path, "a.zarr")
    check_claim((2**13, 2**13), 2, 0, "a.zarr")
    with pytest.raises(ImageError, match=r"a\.zarr: the file claims far more pixels than it can hold"):
        check_claim((2**16, 2**15), 2, tmp_path, "a.zarr")


@pytest.mark.parametrize("name", ["a.tif", "a.ome.tif", "a.h5", "a.npy", "a.mrc", "a.czi", "a.zarr"])
def test_a_named_pipe_is_no_image(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(ImageError, match=rf"{name}: not a file \(got a named pipe\)"):
        open_image(tmp_path / name, installed_formats())


def _huge(*shape: int) -> LazyPixels:
    def read(region: tuple[slice, ...]) -> np.ndarray[Any, Any]:
        return np.ones([part.stop - part.start for part in region], np.uint16)

    return LazyPixels(shape=shape, dtype=np.dtype("u2"), read=read, source="a.tif")


def test_parts_of_an_image_of_any_size_are_found_at_once() -> None:
    image = _huge(2**60, 2**60)
    begun = time.process_time()
    assert image[2**59 :: 2**59, 5:2].shape == (1, 0)
    assert image[-1, -3:].shape == (3,)
    assert time.process_time() - begun < 0.1


def test_what_does_not_fit_into_memory_or_onto_the_disk_is_not_begun(tmp_path: Path) -> None:
    with pytest.raises(
        ImageError, match=r"a\.tif: the pixels do not fit into memory at once \(.* GiB needed"
    ):
        np.asarray(_huge(2**24, 2**24))
    with (
        pytest.raises(ImageError, match=r"raw: there is no space for it in .* GiB free"),
        raw_file(tmp_path / "raw", (2**24, 2**24), np.dtype("u2")),
    ):
        pass
    for chosen in installed_formats():
        path = tmp_path / f"out{chosen.suffixes[-1]}"
        with pytest.raises(ImageError):
            chosen.create(path, ImageLayout(shape=(2**24, 2**24), dtype="u2", axes="yx"))
    assert not list(tmp_path.iterdir())
