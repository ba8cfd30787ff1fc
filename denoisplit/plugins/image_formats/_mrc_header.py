"""The header of MRC files, read in any of its dialects."""

import math
import struct
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np

from denoisplit.core.errors import ImageError
from denoisplit.core.images.axes import ambiguous_axes, sizes_by_axis
from denoisplit.core.images.bases import ImageLayout
from denoisplit.core.images.layout import axes_of, parse_remark, remark_text
from denoisplit.core.images.lazy import LazyPixels, mapped

KINDS: Final = {"uint8": 0, "int8": 0, "int16": 1, "float32": 2, "uint16": 6}
"""MRC's mode number for every pixel type that is written."""

_SIZE: Final = 1024
_ANGSTROM: Final = 1e-4  # µm
_MODES: Final = {1: "i2", 2: "f4", 6: "u2", 12: "f2"}
_COMPLEX: Final = (3, 4)
_IMOD: Final = 1146047817
_PRIISM: Final = -16224
_PRIISM_ORDERS: Final = {0: "ctz", 1: "tzc", 2: "tcz"}
_FINEST: Final = 0.002
"""µm: pixels of light microscopes are larger; a smaller one was divided by the number of pixels once more."""

_MOST_SIDE: Final = 2**24


@attrs.frozen(kw_only=True)
class Header:
    """Contents of a header.

    Attributes:
        shape: shape of the pixels, slowest axis first.
        dtype: type of the pixels in the file.
        offset: position of the first pixel, bytes.
        voxel: size along z, y, x in µm; 0 where unknown.
        stack: axes that the header itself names, None where it names none.
        said: our own remark in the extended header.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int
    voxel: tuple[float, float, float]
    stack: str | None
    said: dict[str, Any]

    def pixels(self, path: Path) -> LazyPixels:
        """Return the pixels of the file, to be read lazily.

        Raises:
            ImageError: a truncated file.
        """
        return mapped(path, shape=self.shape, dtype=self.dtype, offset=self.offset)

    def axes(self, where: str) -> str:
        """Return the letters of the axes.

        Raises:
            ImageError: a stack whose axis the file does not name.
        """
        if self.stack is None:
            raise ambiguous_axes(self.shape, where, ("zyx", "tyx", "syx", "cyx"))
        return self.stack


def read_header(path: Path) -> Header:
    """Read a header in either byte order.

    Raises:
        ImageError: too short, not MRC, or pixels that are not real numbers.
    """
    with path.open("rb") as file:
        raw = file.read(_SIZE)
        if len(raw) < _SIZE:
            raise ImageError(
                f"{path}: not an MRC file, or a truncated one (got {len(raw)} bytes of a header of {_SIZE}). "
                f"Copy it again."
            )
        order = byte_order(raw, path.stat().st_size)
        if not order:
            raise ImageError(
                f"{path}: not a readable MRC file (got sizes {struct.unpack_from('<3i', raw)}). "
                f"Check that it is really an MRC file."
            )
        (extended,) = struct.unpack_from(f"{order}i", raw, 92)
        said = parse_remark(file.read(extended).decode("utf-8", "replace"))
    nx, ny, nz, mode = struct.unpack_from(f"{order}4i", raw)
    standard = raw[208:211] == b"MAP"
    kind = _dtype(mode, raw, order, standard, path)
    dtype = kind.newbyteorder("<" if order == "<" else ">")
    voxel = _voxel(raw, order, standard)
    shape, stack = _stack(raw, order, standard, (nz, ny, nx))
    if (noted := axes_of(said, len(str(said.get("axes", ""))))) and "sides" in said:
        stored = "".join(letter for letter in "stczyx" if letter in noted)
        sides = (
            [side for side in said["sides"] if isinstance(side, int)]
            if isinstance(said["sides"], list)
            else []
        )
        if len(sides) == len(stored) and math.prod(sides) == nx * ny * nz:
            shape, stack = tuple(sides), stored
    return Header(shape=shape, dtype=dtype, offset=_SIZE + extended, voxel=voxel, stack=stack, said=said)


def byte_order(raw: bytes, size: int) -> str:
    """Return ``<`` or ``>``, whatever the stamp says; empty where the sizes make no sense in either."""
    orders = [order for order in "<>" if _plausible(raw, order)]
    # Only sides of 256 and more make sense in either order, so the header is nothing beside the pixels.
    return min(
        orders, key=lambda order: abs(size - math.prod(struct.unpack_from(f"{order}3i", raw))), default=""
    )


def _plausible(raw: bytes, order: str) -> bool:
    nx, ny, nz, mode = struct.unpack_from(f"{order}4i", raw)
    (extended,) = struct.unpack_from(f"{order}i", raw, 92)
    sides = all(0 < side < _MOST_SIDE for side in (nx, ny, nz))
    return sides and 0 <= mode <= 101 and 0 <= extended < 2**30


def _dtype(mode: int, raw: bytes, order: str, standard: bool, path: Path) -> np.dtype[Any]:
    stamp, flags = struct.unpack_from(f"{order}2i", raw, 152)
    if mode == 0:
        signed = bool(flags & 1) if stamp == _IMOD else standard
        return np.dtype("i1" if signed else "u1")
    if mode in _COMPLEX:
        raise ImageError(f"{path}: pixels must be real numbers (got complex ones). Save an intensity.")
    if mode not in _MODES:
        known = ", ".join(str(number) for number in (0, *_MODES))
        raise ImageError(f"{path}: unsupported type of pixels (got mode {mode}, known {known}). Convert it.")
    return np.dtype(_MODES[mode])


def _voxel(raw: bytes, order: str, standard: bool) -> tuple[float, float, float]:
    """Return the voxel size in µm, z first; Priism and BioSR store it in place of the size of the image."""
    counts = struct.unpack_from(f"{order}3i", raw, 28)
    cell = struct.unpack_from(f"{order}3f", raw, 40)
    if struct.unpack_from(f"{order}h", raw, 96)[0] == _PRIISM:
        counts = (1, 1, 1)
    sizes = [
        length / count if count > 0 and np.isfinite(length) and length > 0 else 0.0
        for count, length in zip(counts, cell, strict=True)
    ]
    if not standard and 0 < sizes[0] < _FINEST:
        sizes = [float(length) for length in cell]
    unit = _ANGSTROM if standard else 1.0
    x, y, z = (size * unit for size in sizes)
    return z, y, x


def _stack(
    raw: bytes, order: str, standard: bool, shape: tuple[int, int, int]
) -> tuple[tuple[int, ...], str | None]:
    """Return shape and axes as far as the header tells them."""
    nz, ny, nx = shape
    named = _named(raw, order)
    if struct.unpack_from(f"{order}h", raw, 96)[0] == _PRIISM:
        times, interleaved = struct.unpack_from(f"{order}2h", raw, 180)
        (waves,) = struct.unpack_from(f"{order}h", raw, 196)
        counts = {"t": max(times, 1), "c": max(waves, 1)}
        counts["z"], rest = divmod(nz, counts["t"] * counts["c"])
        if not rest and interleaved in _PRIISM_ORDERS:
            letters = [a for a in _PRIISM_ORDERS[interleaved] if counts[a] > 1]
            return (*(counts[a] for a in letters), ny, nx), "".join(letters) + "yx"
    if nz == 1 and named[0] == "z":
        return (ny, nx), named[1:]
    if named[0] != "z":
        return shape, named
    if not standard:
        return shape, None
    space_group, planes = (
        struct.unpack_from(f"{order}i", raw, 88)[0],
        struct.unpack_from(f"{order}i", raw, 36)[0],
    )
    if space_group == 0:
        return shape, f"s{named[1:]}"
    if space_group >= 401 and 0 < planes < nz and nz % planes == 0:
        return (nz // planes, planes, ny, nx), f"s{named}"
    return shape, named


def _named(raw: bytes, order: str) -> str:
    """Return the letters of sections, rows and columns (MAPS, MAPR, MAPC); empty in old files."""
    columns, rows, sections = struct.unpack_from(f"{order}3i", raw, 64)
    numbers = (sections, rows, columns)
    return "".join(" xyz"[number] for number in numbers) if sorted(numbers) == [1, 2, 3] else "zyx"


def header_of(layout: ImageLayout, stored: str, shape: tuple[int, ...]) -> bytes:
    """Return an MRC2014 header, little-endian, with our remark in the extended header.

    Args:
        layout: layout of the image.
        stored: its axes in the order of the file.
        shape: its shape in this order.
    """
    ny, nx = shape[-2:]
    nz = math.prod(shape[:-2])
    volume = "z" in stored
    depth = shape[stored.index("z")] if volume else 1
    said = f'{{"sides": {list(shape)}, {remark_text(layout)[1:]}'.encode()
    said += b" " * (-len(said) % 16)
    size = sizes_by_axis(layout, "µm")
    cell = [count * size.get(a, 0.0) / _ANGSTROM for a, count in zip("xyz", (nx, ny, depth), strict=True)]
    head = bytearray(_SIZE)
    struct.pack_into("<4i", head, 0, nx, ny, nz, KINDS[layout.dtype.name])
    struct.pack_into("<3i3f3f3i", head, 28, nx, ny, depth, *cell, 90, 90, 90, 1, 2, 3)
    group = 0 if not volume else 1 if nz == depth else 401
    struct.pack_into("<3f2i", head, 76, 0.0, -1.0, -2.0, group, len(said))  # minimum above maximum: unknown
    head[104:108] = b"JSON"
    struct.pack_into("<i", head, 108, 20140)
    # The standard has signed bytes only; IMOD and Fiji mark them with this stamp and its first flag.
    struct.pack_into("<2i", head, 152, _IMOD, int(layout.dtype.name == "int8"))
    head[208:216] = b"MAP \x44\x44\x00\x00"
    struct.pack_into("<fi", head, 216, -1.0, 1)
    text = b"denoisplit: axes and names in the extended header"
    head[224 : 224 + len(text)] = text
    return bytes(head) + said
