"""Reading by chunks gives the pixels of the array, and decodes every chunk once on the way through it."""

import pickle
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from denoisplit.core.arrays import AnyArray, Window
from denoisplit.core.images import chunked, lazy
from denoisplit.core.images.bases import Image
from denoisplit.core.images.block_walks import pieces
from denoisplit.core.images.chunked import ByChunks
from denoisplit.core.images.io import open_image
from denoisplit.core.storage.image_files import installed_formats
from denoisplit.plugins.image_formats import _tiff_pixels, _zarr_nodes, hdf5
from denoisplit.plugins.image_formats.ome_zarr import OmeZarr


class Stored:
    """An array in chunks that counts how many times each pixel is decoded."""

    def __init__(self, shape: tuple[int, ...], chunks: tuple[int, ...]) -> None:
        self.array = np.arange(np.prod(shape), dtype=np.int32).reshape(shape)
        self.chunks, self.decoded = chunks, np.zeros(shape, int)

    def read(self, region: Window) -> AnyArray:
        whole = tuple(
            slice(p.start // side * side, -(-p.stop // side) * side)
            for p, side in zip(region, self.chunks, strict=True)
        )
        self.decoded[whole] += 1
        return self.array[region]

    def by_chunks(self) -> ByChunks:
        return ByChunks(self.read, self.array.shape, self.chunks, self.array.itemsize)


def held(reader: ByChunks) -> int:
    """Pixels that it keeps."""
    return 0 if reader._kept is None else reader._kept[1].size


SIDES = st.lists(st.tuples(st.integers(1, 12), st.integers(1, 5)), min_size=1, max_size=3)


@settings(max_examples=100, deadline=None)
@given(SIDES, st.data(), st.sampled_from([4, 40, 200, 2**20]))
def test_any_regions_in_any_order_are_those_of_the_array(
    sides: list[tuple[int, int]], data: st.DataObject, most: int
) -> None:
    stored = Stored(*(tuple(column) for column in zip(*sides, strict=True)))
    reader = stored.by_chunks()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunked, "MOST", most)
        for _ in range(8):
            region = tuple(
                slice(low := data.draw(st.integers(0, side - 1)), data.draw(st.integers(low + 1, side)))
                for side in stored.array.shape
            )
            np.testing.assert_array_equal(reader(region), stored.array[region])


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3), st.integers(1, 40), st.integers(1, 9), st.integers(1, 9), st.integers(1, 60))
def test_a_walk_decodes_every_chunk_once_and_keeps_a_layer(
    channels: int, height: int, rows: int, columns: int, most: int
) -> None:
    stored = Stored((channels, height, 7), (1, rows, columns))
    reader = stored.by_chunks()
    for region in pieces(stored.array.shape, max(most, 7)):
        np.testing.assert_array_equal(reader(region), stored.array[region])
        assert held(reader) <= rows * 7
    assert (stored.decoded == 1).all()
    assert held(reader) == 0


def test_chunks_that_are_too_large_are_read_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunked, "MOST", 4 * 20 * 10)
    asked: list[tuple[int, ...]] = []
    array = np.zeros((8, 100, 20), np.int32)

    def read(region: Window) -> AnyArray:
        asked.append(tuple(part.stop - part.start for part in region))
        return array[region]

    reader = ByChunks(read, array.shape, (8, 8, 20), 4)
    reader((slice(0, 1), slice(3, 6), slice(2, 4)))
    assert asked == [(1, 8, 20)]
    reader((slice(0, 1), slice(0, 50), slice(0, 20)))
    reader((slice(0, 1), slice(0, 50), slice(0, 20)))
    assert asked[1:] == [(1, 42, 20), (1, 50, 20)]


def test_other_processes_get_none_of_the_pixels() -> None:
    array = np.random.default_rng(0).normal(size=(40, 1000))
    reader: Any = ByChunks(_of_noise, array.shape, (20, 1000), 8)
    before = len(pickle.dumps(reader))
    reader((slice(0, 5), slice(0, 1000)))
    assert held(reader) == 20 * 1000
    assert len(pickle.dumps(reader)) == before
    again = pickle.loads(pickle.dumps(reader))  # noqa: S301
    np.testing.assert_array_equal(again((slice(3, 4), slice(0, 9))), array[3:4, :9])


def _of_noise(region: Window) -> AnyArray:
    return np.random.default_rng(0).normal(size=(40, 1000))[region]


def _write_tiff(path: Path, image: AnyArray) -> None:
    tifffile.imwrite(path, image, tile=(16, 16), compression="zlib", photometric="minisblack")


def _write_hdf5(path: Path, image: AnyArray) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("a", data=image, chunks=(1, 16, 20), compression="gzip")


def _write_zarr(path: Path, image: AnyArray) -> None:
    OmeZarr(OmeZarr.Options(chunk=16)).write(path, Image(data=image, axes="cyx"))


@pytest.mark.parametrize(
    ("name", "module", "write"),
    [
        ("a.tif", _tiff_pixels, _write_tiff),
        ("a.h5", hdf5, _write_hdf5),
        ("a.ome.zarr", _zarr_nodes, _write_zarr),
    ],
)
def test_files_in_chunks_are_walked_through_once(
    name: str, module: Any, write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bands of 5 rows through chunks of 16: each pixel is asked for once, rows of chunks as a whole."""
    asked: list[Window] = []

    def watched(read: Any, shape: Any, chunks: Any, itemsize: int) -> ByChunks:
        def seen(region: Window) -> AnyArray:
            asked.append(region)
            found: AnyArray = read(region)
            return found

        return ByChunks(seen, shape, chunks, itemsize)

    monkeypatch.setattr(lazy, "LAZY_FROM", 1)
    monkeypatch.setattr(module, "ByChunks", watched)
    image = np.random.default_rng(0).integers(0, 999, (2, 50, 40), dtype=np.uint16)
    write(tmp_path / name, image)
    data = open_image(tmp_path / name, installed_formats(), "cyx").data
    for channel in range(2):
        for row in range(0, 50, 5):
            np.testing.assert_array_equal(data[channel, row : row + 5], image[channel, row : row + 5])
    assert sum(np.zeros(image.shape)[region].size for region in asked) == image.size
    assert all(
        part.start % side == 0 for region in asked for part, side in zip(region, (1, 16, 1), strict=True)
    )
