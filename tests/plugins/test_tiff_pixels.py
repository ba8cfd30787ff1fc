"""TIFF files whose pixels are not all there, or no intensities; what a message proposes works."""

import re
import struct
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from denoisplit.core.arrays import AnyArray
from denoisplit.core.errors import ImageError
from denoisplit.core.images.bases import IntensityScale
from denoisplit.core.images.io import iterate_planes
from tests.reading import advised, opened, refused

PLANE = np.random.default_rng(0).integers(1, 250, (32, 48)).astype(np.uint16)
RAMP = np.linspace(0, 65535, 256).astype(np.uint16)


def written(path: Path, pixels: AnyArray, **how: Any) -> tifffile.TiffPage:
    """Write pixels; the first page of the file."""
    tifffile.imwrite(path, pixels, metadata=how.pop("metadata", None), byteorder="<", **how)
    with tifffile.TiffFile(path) as tif:
        return tif.pages.first


def overwrite(path: Path, page: tifffile.TiffPage, tag: str, numbers: dict[int, int]) -> None:
    """Change numbers of a tag, by their places."""
    found, content = page.tags[tag], bytearray(path.read_bytes())
    kind = {3: "<H", 4: "<I", 16: "<Q"}[int(found.dtype)]
    for place, number in numbers.items():
        struct.pack_into(kind, content, found.valueoffset + place * struct.calcsize(kind), number)
    path.write_bytes(content)


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("how", [{"rowsperstrip": 8}, {"tile": (16, 16)}], ids=["strips", "tiles"])
@pytest.mark.parametrize("lost", ["Offsets", "ByteCounts"])
def test_a_page_without_some_of_its_bytes(
    tmp_path: Path, compression: str | None, how: dict[str, Any], lost: str
) -> None:
    path = tmp_path / "a.tif"
    page = written(path, PLANE, compression=compression, **how)
    overwrite(path, page, ("Tile" if "tile" in how else "Strip") + lost, {1: 0, 2: 0})
    pieces = len(page.dataoffsets)
    refused(path, f"page 0 lacks 2 of its {pieces} strips or tiles (got shape (32, 48))", "sparse")


@pytest.mark.parametrize("height", [40, 900_000_000])
def test_fewer_strips_than_the_height_needs(tmp_path: Path, height: int) -> None:
    path = tmp_path / "a.tif"
    page = written(path, PLANE.astype(np.uint8), rowsperstrip=8, compression="zlib", photometric="minisblack")
    content = bytearray(path.read_bytes())
    entry = content.index(struct.pack("<HH", 257, page.tags[257].dtype))
    struct.pack_into("<HHII", content, entry, 257, 4, 1, height)
    path.write_bytes(content)
    start = time.monotonic()
    refused(path, "strips or tiles")
    assert time.monotonic() - start < 5, "it takes as long as what is claimed"


def described_anew(path: Path, number: int, kind: int, count: int, value: int, after: bytes = b"") -> None:
    """Describe the first page otherwise: a tag as it is listed, and what stands at the end of the file."""
    content = bytearray(path.read_bytes())
    entry = re.search(struct.pack("<H", number) + rb"[\x03\x04]\x00", content)
    assert entry
    struct.pack_into("<HHII", content, entry.start(), number, kind, count, value)
    path.write_bytes(content + after)


def test_strips_before_the_beginning_of_the_file_are_not_there(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    first, second, *others = written(path, PLANE, rowsperstrip=8).dataoffsets
    listed = struct.pack("<4i", first, -second, *others)
    described_anew(path, 273, 9, 4, path.stat().st_size, listed)
    refused(path, "page 0 lacks 1 of its 4 strips or tiles")


def test_tiles_that_are_listed_beyond_the_image_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    page = written(path, PLANE, tile=(16, 16))
    described_anew(path, 257, 4, 1, 16)
    overwrite(path, page, "TileOffsets", {5: path.stat().st_size + 99})
    assert np.array_equal(opened(path).data, PLANE[:16])


@pytest.mark.parametrize(("side", "shape"), [(256, "(32, 0)"), (257, "(0, 48)")], ids=["width", "height"])
def test_a_page_without_a_side_has_no_pixels(tmp_path: Path, side: int, shape: str) -> None:
    path = tmp_path / "a.tif"
    metadata: dict[str, Any] = {"axes": "TYX"}
    tifffile.imwrite(path, np.stack([PLANE] * 3), imagej=True, metadata=metadata, byteorder="<")
    described_anew(path, side, 99, 1, 32)
    refused(path, f"page 0 needs pixels (got shape {shape})")


def test_a_strip_with_fewer_bytes_than_its_rows_take(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    page = written(path, PLANE, rowsperstrip=8)
    overwrite(path, page, "StripByteCounts", {1: 700})
    refused(path, "page 0 has fewer bytes than its pixels take")


def test_only_what_is_truncated_is_called_so(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.stack([PLANE] * 5), imagej=True, metadata={"axes": "TYX"})
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    found = re.search(r"truncated \(got (\d+) bytes of (\d+) or more\)", refused(path))
    assert found
    assert int(found[1]) == len(whole) // 2 < int(found[2])
    path.write_bytes(whole[:8])
    assert "is truncated" not in refused(path, "there is no image in the file (got 8 bytes)")


@pytest.mark.parametrize("shape", [(32, 48), (3, 32, 48)])
def test_signed_numbers_of_imagej_are_counts(tmp_path: Path, shape: tuple[int, ...]) -> None:
    counts = np.random.default_rng(0).integers(-500, 900, shape)
    stored, stack = (counts + 32768).astype(np.uint16), len(shape) > 2
    description = (
        "ImageJ=1.54f\n" + "images=3\nframes=3\n" * stack + "cf=0\nc0=-32768.0\nc1=1.0\nvunit=Gray Value\n"
    )
    tifffile.imwrite(
        tmp_path / "a.tif", stored, description=description, metadata=None, photometric="minisblack"
    )
    image = opened(tmp_path / "a.tif")
    assert image.intensity_scale == IntensityScale((1.0,), (-32768.0,))
    read = np.stack([plane[0] for _, plane in iterate_planes(image, 2)])
    np.testing.assert_array_equal(read.reshape(shape), counts)


@pytest.mark.parametrize(
    "line", ["cf=20\nc0=0.0\nc1=1.0", "cf=0\nc0=3.0", "cf=0\nc0=nan\nc1=2", "cf=0\nc0=1\nc1=0"]
)
def test_other_calibrations_of_imagej_are_left_out(tmp_path: Path, line: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", PLANE, description=f"ImageJ=1.54f\n{line}\n", metadata=None)
    assert opened(tmp_path / "a.tif").intensity_scale is None


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("opacity", ["unassalpha", "assocalpha", "unspecified"])
def test_gray_with_opacity_is_gray(tmp_path: Path, planar: str, opacity: str) -> None:
    both = np.stack([PLANE, np.full_like(PLANE, 65535)], axis=-1 if planar == "contig" else 0)
    written(tmp_path / "a.tif", both, planarconfig=planar, extrasamples=[opacity], photometric="minisblack")
    image = opened(tmp_path / "a.tif")
    if opacity == "unspecified":
        assert image.axes == ("yxc" if planar == "contig" else "cyx")
        np.testing.assert_array_equal(image.pixels, both)
    else:
        assert image.axes == "yx"
        np.testing.assert_array_equal(image.pixels, PLANE)


@pytest.mark.parametrize(
    ("colours", "gray"),
    [
        ((RAMP, RAMP, RAMP), True),
        ((0 * RAMP, RAMP, 0 * RAMP), True),
        ((RAMP // 257 * 256,) * 3, True),
        ((RAMP, RAMP[::-1], RAMP), False),
        ((RAMP[::-1],) * 3, False),
        ((np.sqrt(RAMP / 65535.0) * 65535,) * 3, False),
        ((0 * RAMP,) * 3, False),
    ],
    ids=["gray", "green", "8 bits", "colours", "inverted", "uneven", "black"],
)
def test_palettes_that_are_ramps_are_gray(tmp_path: Path, colours: tuple[AnyArray, ...], gray: bool) -> None:
    pixels = PLANE.astype(np.uint8)
    written(tmp_path / "a.tif", pixels, photometric="palette", colormap=np.stack(colours).astype(np.uint16))
    axes = None if gray else advised(refused(tmp_path / "a.tif", "indices into a palette of colours"))
    image = opened(tmp_path / "a.tif", axes)
    assert image.axes == "yx"
    np.testing.assert_array_equal(image.pixels, pixels)


@pytest.mark.parametrize("shape", [(32, 48), (3, 32, 48)])
def test_a_negative_is_refused_unless_axes_say_that_it_is_none(
    tmp_path: Path, shape: tuple[int, ...]
) -> None:
    pixels = np.broadcast_to(PLANE, shape)
    written(tmp_path / "a.tif", pixels, photometric="miniswhite")
    axes = advised(refused(tmp_path / "a.tif", "0 is white"))
    np.testing.assert_array_equal(opened(tmp_path / "a.tif", axes).pixels, pixels)


def test_black_and_white_is_no_intensity_whatever_its_axes(tmp_path: Path) -> None:
    written(tmp_path / "a.tif", PLANE > 99)
    refused(tmp_path / "a.tif", "real numbers")
    with pytest.raises(ImageError, match="real numbers"):
        opened(tmp_path / "a.tif", "yx")


def test_an_inverted_display_of_imagej_changes_no_counts(tmp_path: Path) -> None:
    written(tmp_path / "a.tif", PLANE, photometric="miniswhite", description="ImageJ=1.54f\nmin=0\nmax=9\n")
    np.testing.assert_array_equal(opened(tmp_path / "a.tif").pixels, PLANE)


@pytest.mark.parametrize(
    ("name", "axes", "shape"),
    [
        ("a.tif", None, (6, 5, 3)),
        ("a.tif", None, (4, 6, 5, 3)),
        ("a.ome.tif", "CYXS", (2, 6, 5, 3)),
        ("a.ome.tif", "TCYXS", (3, 2, 6, 5, 3)),
        ("a.ome.tif", "TCZYXS", (3, 2, 4, 6, 5, 3)),
        ("a.ome.tif", "ZYXS", (2, 6, 5, 3)),
        ("a.tif", "QYXS", (2, 6, 5, 3)),
    ],
)
def test_what_is_proposed_for_colours_works(
    tmp_path: Path, name: str, axes: str | None, shape: tuple[int, ...]
) -> None:
    pixels = np.random.default_rng(0).integers(0, 250, shape).astype(np.uint8)
    metadata = {"axes": axes} if axes else None
    with tifffile.TiffWriter(tmp_path / name, ome=".ome" in name) as writer:
        for part in [pixels] if axes or pixels.ndim == 3 else pixels:
            writer.write(part, photometric="rgb", metadata=metadata, contiguous=bool(axes))
    proposal = advised(refused(tmp_path / name, "RGB picture"))
    image = opened(tmp_path / name, proposal)
    assert image.axes == proposal
    np.testing.assert_array_equal(image.pixels, pixels)


def test_thumbnails_are_no_images(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(PLANE, metadata=None)
        writer.write(PLANE[:8, :8], subfiletype=1, metadata=None)
    np.testing.assert_array_equal(opened(tmp_path / "a.tif").pixels, PLANE)


def test_images_that_differ_are_listed(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(PLANE, metadata=None)
        writer.write(PLANE[:8], metadata=None)
    refused(tmp_path / "a.tif", "one image per file (got 2: (32, 48), (8, 48))")


def test_bytes_of_planes_that_are_not_listed_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    written(path, PLANE)
    path.write_bytes(path.read_bytes() + PLANE.tobytes())
    message = refused(path, f"got {PLANE.nbytes} after the {PLANE.nbytes} of the image")
    assert np.array_equal(opened(path, advised(message)).data, PLANE)


def test_a_stack_of_imagej_that_ends_early_can_be_read_in_part(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    metadata: dict[str, Any] = {"axes": "TYX"}
    tifffile.imwrite(path, np.stack([PLANE] * 3), imagej=True, metadata=metadata, truncate=True)
    path.write_bytes(path.read_bytes()[: -PLANE.nbytes - 1])
    message = refused(path, "truncated", "got images=3")
    assert np.array_equal(opened(path, advised(message)).data, PLANE)
