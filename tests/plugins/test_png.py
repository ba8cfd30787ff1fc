"""PNG of one gray plane is read; other pictures say what they are and what to do."""

import re
import struct
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile

from denoisplit.core.arrays import AnyArray
from denoisplit.core.errors import ImageError
from denoisplit.core.images import claims
from tests.reading import opened, refused

PLANE = np.random.default_rng(0).integers(0, 250, (12, 10)).astype(np.uint8)
COLOURS = np.random.default_rng(1).integers(0, 250, (12, 10, 3)).astype(np.uint8)


def part(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(pixels: AnyArray, bits: int, colour: int, *extra: bytes) -> bytes:
    """A file with rows of bytes as they are stored."""
    high, wide = pixels.shape[0], pixels.shape[1] * 8 // bits
    head = struct.pack(">IIBBBBB", wide, high, bits, colour, 0, 0, 0)
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    parts = [part(b"IHDR", head), *extra, part(b"IDAT", zlib.compress(rows)), part(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize(
    "pixels",
    [
        PLANE,
        PLANE.astype(np.uint16) * 257,
        np.stack([PLANE, PLANE // 2], axis=-1),
        np.stack([PLANE] * 3, axis=-1),
        np.stack([*[PLANE] * 3, PLANE // 2], axis=-1),
    ],
    ids=["8 bits", "16 bits", "opacity", "gray in colours", "gray in colours with opacity"],
)
def test_gray_is_read_as_it_is(tmp_path: Path, pixels: AnyArray) -> None:
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(pixels))
    image = opened(tmp_path / "a.png")
    plane = pixels if pixels.ndim == 2 else pixels[..., 0]
    assert (image.axes, image.data.dtype) == ("yx", pixels.dtype)
    np.testing.assert_array_equal(image.pixels, plane)


def test_a_palette_of_grays_is_gray(tmp_path: Path) -> None:
    shades = np.arange(256, dtype=np.uint8)[::-1]
    table = part(b"PLTE", np.repeat(shades, 3).tobytes())
    (tmp_path / "a.png").write_bytes(png(PLANE, 8, 3, table))
    np.testing.assert_array_equal(opened(tmp_path / "a.png").pixels, shades[PLANE])


@pytest.mark.parametrize("opacity", [False, True])
def test_what_is_proposed_for_colours_works(tmp_path: Path, opacity: bool) -> None:
    pixels = np.concatenate([COLOURS, PLANE[..., None]], axis=-1) if opacity else COLOURS
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(pixels))
    found = re.search(r"--axes (\w+)\)", refused(tmp_path / "a.png", "RGB picture"))
    assert found
    np.testing.assert_array_equal(opened(tmp_path / "a.png", found[1]).pixels, pixels)


def test_damaged_files_say_what_is_wrong(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path, whole = tmp_path / "a.png", imagecodecs.png_encode(PLANE)
    for size in (9, 30, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        refused(path, f"the file is truncated (got {size} bytes of")
    path.write_bytes(whole[:60] + bytes([whole[60] ^ 1]) + whole[61:])
    refused(path, "the file is damaged")
    path.write_bytes(png(np.zeros((8, 1), np.uint8), 1, 0))
    refused(path, "few grays (got 1 bits")
    huge = struct.pack(">IIBBBBB", 2**30, 2**30, 16, 0, 0, 0, 0)
    path.write_bytes(whole[:8] + part(b"IHDR", huge) + part(b"IDAT", zlib.compress(b"")) + part(b"IEND", b""))
    refused(path, "far more pixels than it can hold")
    assert capfd.readouterr() == ("", "")


def test_pictures_that_keep_no_pixels_say_so(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(imagecodecs.jpeg_encode(PLANE))
    refused(
        tmp_path / "a.jpg", "a JPEG picture, which keeps no exact pixels", "Save the microscope's own pixels"
    )
    (tmp_path / "a.tif").write_bytes(imagecodecs.jpeg_encode(PLANE))
    refused(tmp_path / "a.tif", "a JPEG picture, which keeps no exact pixels")
    tifffile.imwrite(tmp_path / "b.image", PLANE)
    refused(tmp_path / "b.image", "(got TIFF). Rename it to end in .tif.")


@pytest.mark.parametrize("pixels", [PLANE, PLANE.astype(np.uint16) * 257, COLOURS])
def test_a_picture_that_does_not_fit_into_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pixels: AnyArray
) -> None:
    path, axes = tmp_path / "a.png", "yxc"[: pixels.ndim]
    path.write_bytes(imagecodecs.png_encode(pixels))
    monkeypatch.setattr(claims, "LARGE", 1)
    monkeypatch.setattr(claims, "_free_memory", lambda: pixels.nbytes + 2**26)
    np.testing.assert_array_equal(opened(path, axes=axes).data, pixels)
    monkeypatch.setattr(claims, "_free_memory", lambda: pixels.nbytes + 2**26 - 1)
    with pytest.raises(ImageError, match="do not fit into memory at once"):
        opened(path, axes=axes)
