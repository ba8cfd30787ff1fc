"""MRC headers: which axis is which, and in which order bytes are."""

import struct
from itertools import permutations
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest

from denoisplit.plugins.image_formats._mrc_header import byte_order
from denoisplit.plugins.image_formats.mrc import Mrc

MRC = Mrc(Mrc.Options())
PIXELS = np.arange(4 * 3 * 5, dtype=np.int16).reshape(4, 3, 5)
SIZES = {"x": 10.0, "y": 20.0, "z": 30.0}


def volume(path: Path, pixels: Any, stored: str) -> None:
    """A file of which sections, rows and columns are these axes; the sampling is along x, y, z."""
    with mrcfile.new(path) as file:
        file.set_data(pixels)
        sides = dict(zip(stored, pixels.shape, strict=True))
        header = file.header
        header.mapc, header.mapr, header.maps = ("xyz".index(letter) + 1 for letter in stored[::-1])
        header.mx, header.my, header.mz = (sides[letter] for letter in "xyz")
        header.cella = tuple(SIZES[letter] * sides[letter] for letter in "xyz")


@pytest.mark.parametrize("stored", [*map("".join, permutations("xyz"))])
@pytest.mark.parametrize("dtype", ["<i2", ">i2"])
def test_sections_rows_and_columns_are_the_axes_that_the_header_names(
    tmp_path: Path, stored: str, dtype: str
) -> None:
    volume(tmp_path / "a.mrc", PIXELS.astype(dtype), stored)
    image = MRC.open(tmp_path / "a.mrc")
    assert image.axes == stored
    assert image.pixel_size is not None
    assert image.pixel_size.size == pytest.approx([SIZES[letter] * 1e-4 for letter in stored])
    np.testing.assert_array_equal(image.pixels, PIXELS)


@pytest.mark.parametrize(
    ("rows", "columns", "axes"), [(2, 1, "yx"), (1, 2, "xy"), (0, 0, "yx"), (7, 7, "yx")]
)
def test_a_stack_of_images_may_have_its_columns_along_y(
    tmp_path: Path, rows: int, columns: int, axes: str
) -> None:
    for name, pixels, prefix in (("one", PIXELS[0], ""), ("stack", PIXELS, "s")):
        with mrcfile.new(tmp_path / f"{name}.mrc") as file:
            file.set_data(pixels)
            if prefix:
                file.set_image_stack()
            file.header.mapc, file.header.mapr = columns, rows
        assert MRC.open(tmp_path / f"{name}.mrc").axes == prefix + axes


@pytest.mark.parametrize("stamped", [True, False])
@pytest.mark.parametrize("order", ["<", ">"])
def test_sizes_that_make_sense_in_both_byte_orders_are_read_in_the_right_one(
    tmp_path: Path, stamped: bool, order: str
) -> None:
    """256 is 65,536 the other way round, and a mode of 0 is 0."""
    header = bytearray(1024)
    struct.pack_into(f"{order}4i", header, 0, 256, 256, 256, 0)
    header[208:212] = b"MAP "
    if stamped:
        header[212:214] = b"\x44\x44" if order == "<" else b"\x11\x11"
    (tmp_path / "a.mrc").write_bytes(bytes(header) + bytes(256**3))
    assert MRC.open(tmp_path / "a.mrc").data.shape == (256, 256, 256)


def test_the_right_byte_order_may_be_the_one_with_more_pixels() -> None:
    sides = 65536, 65536, 256
    raw = struct.pack(">4i", *sides, 0) + bytes(1008)
    assert byte_order(raw, 1024 + int(np.prod(sides))) == ">"


def test_a_remark_that_is_broken_does_not_keep_the_pixels_from_being_read(tmp_path: Path) -> None:
    with mrcfile.new(tmp_path / "a.mrc") as file:
        file.set_data(PIXELS)
        file.set_extended_header(np.frombuffer(b'{"axes": "zyx", "sides": [4, "3", null]}' + b" " * 8, "V16"))
    np.testing.assert_array_equal(MRC.open(tmp_path / "a.mrc").pixels, PIXELS)
