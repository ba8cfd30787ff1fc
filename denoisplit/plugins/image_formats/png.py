"""PNG files of one gray plane."""

import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Final, final

import imagecodecs
import numpy as np

from denoisplit.core.arrays import AnyArray
from denoisplit.core.errors import ImageError
from denoisplit.core.images.axes import parse_axes, picture
from denoisplit.core.images.bases import Image, ImageFormat
from denoisplit.core.images.claims import check_claim, check_memory
from denoisplit.core.images.lazy import reading_file, truncated
from denoisplit.core.validators import NoOptions

_MAGIC: Final = b"\x89PNG\r\n\x1a\n"
_FIRST: Final = struct.Struct(">IIBB")
_NEXT: Final = struct.Struct(">I4s")
_CHECK: Final = struct.Struct(">I")
_COLOURS: Final = "r"
_SAMPLES: Final = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}
"""Samples of a decoded pixel by colour type: gray, RGB, palette, gray with opacity, RGB with opacity."""


@final
class Png(ImageFormat):
    """PNG with 8 or 16 bits per pixel, as programs export single planes. Only gray images are read.

    Colours and palettes that show only gray count as gray; opacity is left out. Pixel sizes in PNG files are
    those of a screen and are ignored.

    Source: Portable Network Graphics, ISO/IEC 15948.
    """

    Options = NoOptions

    suffixes = (".png",)
    read_only = (".png",)
    for_display = True

    def open(self, path: Path, *, axes: str | None = None) -> Image:
        """Read the plane of a file; ``axes`` overrides ``yx``, and can take colours for channels."""
        with reading_file(path, "PNG"):
            pixels = _gray(_decoded(path))
        if axes is None and pixels.ndim > 2:
            raise picture(f"yx{_COLOURS}", _COLOURS, pixels.shape, str(path))
        return Image(data=pixels, axes=parse_axes(axes or "yx", pixels.shape, str(path)), source=str(path))

    def write(self, path: Path, image: Image) -> None:
        """Refuse to write: PNG is only read."""
        raise ImageError(
            f"{path}: PNG is only read (got an image of shape {image.data.shape} to write). Write .tif."
        )


def _decoded(path: Path) -> AnyArray:
    content = path.read_bytes()
    if not content.startswith(_MAGIC):
        raise ValueError("not PNG")
    parts = dict(_parts(content, path))
    wide, high, bits, colour = _FIRST.unpack_from(parts[b"IHDR"])
    if bits not in (8, 16):
        raise ImageError(
            f"{path}: the picture is black and white or has few grays (got {bits} bits per pixel). Save "
            f"intensities with 8 or 16 bits."
        )
    shape = (high, wide, _SAMPLES[colour])
    check_claim(shape, bits // 8, len(content), str(path))
    check_memory(high * wide * _SAMPLES[colour] * bits // 8, str(path))
    return np.asarray(imagecodecs.png_decode(content))


def _parts(content: bytes, path: Path) -> Iterator[tuple[bytes, bytes]]:
    """Yield the chunks of a file by name, each checked for damage.

    Raises:
        ImageError: truncated or damaged.
    """
    file, name = BytesIO(content), b""
    file.seek(len(_MAGIC))
    while name != b"IEND":
        length, name = _NEXT.unpack(_read(file, _NEXT.size, path))
        inside = _read(file, length, path)
        (check,) = _CHECK.unpack(_read(file, _CHECK.size, path))
        if zlib.crc32(name + inside) != check:
            end = file.tell() - _CHECK.size
            raise ImageError(f"{path}: the file is damaged (got a wrong check sum at {end}). Copy it again.")
        yield name, inside


def _read(file: BytesIO, size: int, path: Path) -> bytes:
    found = file.read(size)
    if len(found) < size:
        raise truncated(path, file.tell(), file.tell() + size - len(found))
    return found


def _gray(pixels: AnyArray) -> AnyArray:
    """Return [y x] without opacity where there are no colours; else the pixels as they are."""
    if pixels.ndim == 2:
        return pixels
    colours = pixels[..., :-1] if pixels.shape[-1] in (2, 4) else pixels
    return pixels[..., 0] if np.all(colours == colours[..., :1]) else pixels
