"""The container of CZI files: segments, one of which is the directory of all blocks of pixels.

Source: Carl Zeiss Microscopy, libCZI, 2017, the description of the format; Gohlke, czifile, 2013.
"""

import math
import struct
from pathlib import Path
from typing import BinaryIO, Final

import attrs
import numpy as np

from denoisplit.core.arrays import AnyArray
from denoisplit.core.errors import ImageError

_SEGMENT: Final = struct.Struct("<16sqq")
_FILE: Final = struct.Struct("<16x16s16siqq")
_ENTRY: Final = struct.Struct("<2siqii6xi")
_DIMENSION: Final = struct.Struct("<4siifi")
_BLOCK: Final = struct.Struct("<iiq")
_DIRECTORY_HEAD, _METADATA_HEAD, _BLOCK_HEAD = 128, 256, 240

_PIXELS: Final = {
    0: ("<u1", 1),
    1: ("<u2", 1),
    2: ("<f4", 1),
    3: ("<u1", 3),
    4: ("<u2", 3),
    8: ("<f4", 3),
    9: ("<u1", 4),
    10: ("<c8", 1),
    11: ("<c8", 3),
    12: ("<i4", 1),
    13: ("<f8", 1),
}
"""Type and number of colours by the number of a pixel type."""

_JPEG, _LZW, _JPEG_XR, _ZSTD, _ZSTD_WITH_HEADER = 1, 2, 4, 5, 6


@attrs.frozen
class Extent:
    """A stretch along an axis: where it begins, how long it is, and how much of it is stored."""

    start: int
    size: int
    stored: int


@attrs.frozen(kw_only=True)
class Block:
    """Pixels that are stored together, in general a tile of a plane.

    Attributes:
        position: byte where the block begins in the file.
        pixel_type: CZI's number of the pixel type.
        compression: CZI's number of the compression.
        extents: extents by the letters of CZI, slowest axis first.
    """

    position: int
    pixel_type: int
    compression: int
    extents: dict[str, Extent]

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type of the pixels."""
        return np.dtype(_PIXELS[self.pixel_type][0])

    @property
    def colours(self) -> int:
        """Samples per pixel, 1 unless it is a colour picture."""
        return _PIXELS[self.pixel_type][1]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the pixels, with the colours as the last axis."""
        return (*(extent.stored for extent in self.extents.values()), self.colours)

    @property
    def whole(self) -> bool:
        """Whether every pixel is stored; smaller copies of the image are not whole."""
        return all(extent.size == extent.stored for extent in self.extents.values())

    def start(self, letter: str) -> int:
        """Return where the block begins along an axis, 0 for an axis that it does not have."""
        return self.extents[letter].start if letter in self.extents else 0


def directory(path: Path) -> tuple[tuple[Block, ...], bytes]:
    """Return all blocks of a file, and its metadata as XML.

    Raises:
        ImageError: one of several parts, an unfinished or a truncated file.
        ValueError: not a CZI file.
    """
    with path.open("rb") as file:
        _segment(file, 0, b"ZISRAWFILE", path)
        primary, own, part, place, metadata = _FILE.unpack(_read(file, _FILE.size, path))
        if part or primary != own:
            raise ImageError(
                f"{path}: the file is one of several that belong together (got part {part}). "
                f"Save them as one file with ZEN."
            )
        if not place:
            raise ImageError(
                f"{path}: the file has no directory: the recording was interrupted. Repair it with ZEN."
            )
        _segment(file, place, b"ZISRAWDIRECTORY", path)
        (count,) = struct.unpack("<i", _read(file, 4, path))
        file.seek(_DIRECTORY_HEAD - 4, 1)
        blocks = tuple(_entry(file, path) for _ in range(count))
        if not blocks:
            raise ImageError(
                f"{path}: there is no image in the file (got 0 blocks of pixels). Check the file."
            )
        last = max(block.position for block in blocks)
        size = _segment(file, last, b"ZISRAWSUBBLOCK", path)
        _check_end(path, last + _SEGMENT.size + size)
        return blocks, _metadata(file, metadata, path)


def pixels(file: BinaryIO, block: Block, path: Path) -> AnyArray:
    """Read the pixels of a block, with one axis per extent and one for the colours.

    Raises:
        ImageError: a truncated file, or an unsupported compression.
    """
    _segment(file, block.position, b"ZISRAWSUBBLOCK", path)
    described, _, size = _BLOCK.unpack(_read(file, _BLOCK.size, path))
    entry = _ENTRY.size + _DIMENSION.size * len(block.extents)
    file.seek(max(entry, _BLOCK_HEAD) + described, 1)
    found = _decoded(_read(file, size, path), block, path)
    if found.size != math.prod(block.shape):
        raise ImageError(
            f"{path}: a block is incomplete (got {found.size} numbers for {block.shape}). Copy it again."
        )
    return found.reshape(block.shape)


def _segment(file: BinaryIO, position: int, name: bytes, path: Path) -> int:
    """Go to the contents of a segment, and return their number of bytes."""
    file.seek(position)
    found, allocated, used = _SEGMENT.unpack(_read(file, _SEGMENT.size, path))
    if found.rstrip(b"\0") != name:
        raise ValueError(f"no segment {name.decode()} at byte {position}")
    return int(used or allocated)


def _read(file: BinaryIO, size: int, path: Path) -> bytes:
    found = file.read(size)
    if len(found) < size:
        _check_end(path, file.tell() + size - len(found))
    return found


def _check_end(path: Path, end: int) -> None:
    size = path.stat().st_size
    if size < end:
        raise ImageError(
            f"{path}: the file is truncated (got {size} bytes, needs {end} or more). Copy it again."
        )


def _entry(file: BinaryIO, path: Path) -> Block:
    schema, pixel_type, position, _, compression, count = _ENTRY.unpack(_read(file, _ENTRY.size, path))
    if schema != b"DV" or pixel_type not in _PIXELS:
        raise ImageError(f"{path}: unsupported type of pixels (got {pixel_type}). Export them as OME-TIFF.")
    extents = {}
    for _ in range(count):
        letter, start, size, _, stored = _DIMENSION.unpack(_read(file, _DIMENSION.size, path))
        extents[letter.rstrip(b"\0").decode("ascii")] = Extent(start, size, stored or size)
    slowest_first = [*reversed(extents)]
    slowest_first.sort(key="YX".find)  # in whatever order these are listed, Zeiss's library stores rows
    return Block(
        position=position,
        pixel_type=pixel_type,
        compression=compression,
        extents={letter: extents[letter] for letter in slowest_first},
    )


def _metadata(file: BinaryIO, position: int, path: Path) -> bytes:
    if not position:
        return b""
    _segment(file, position, b"ZISRAWMETADATA", path)
    (size,) = struct.unpack("<i", _read(file, 4, path))
    file.seek(_METADATA_HEAD - 4, 1)
    return _read(file, size, path)


def _decoded(data: bytes, block: Block, path: Path) -> AnyArray:
    import imagecodecs  # slow to import

    kind = block.compression
    if kind == _JPEG:
        return np.asarray(imagecodecs.jpeg_decode(data))
    if kind == _JPEG_XR:
        return np.asarray(imagecodecs.jpegxr_decode(data))
    if kind == _LZW:
        data = bytes(imagecodecs.lzw_decode(data))
    elif kind == _ZSTD:
        data = bytes(imagecodecs.zstd_decode(data))
    elif kind == _ZSTD_WITH_HEADER:
        data = _unpacked(data, block.dtype.itemsize)
    elif kind:
        raise ImageError(f"{path}: unsupported compression (got {kind}). Save without it in ZEN.")
    found = np.frombuffer(data, block.dtype)
    if block.colours == 1:
        return found
    return found.reshape(-1, block.colours)[:, [2, 1, 0, 3][: block.colours]]  # stored with blue first


_APART: Final = b"\x01\x01"
"""Header that gives the order of bytes, and says that high and low bytes are stored apart."""


def _unpacked(data: bytes, itemsize: int) -> bytes:
    """Unpack Zstandard after a header that may say that all high bytes follow all low ones."""
    import imagecodecs

    header = data[0]
    found = imagecodecs.zstd_decode(data[header:])
    if data[1:header] != _APART:
        return bytes(found)
    return np.stack(np.split(np.frombuffer(found, np.uint8), itemsize), axis=-1).tobytes()
