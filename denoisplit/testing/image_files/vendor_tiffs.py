"""Small handmade TIFF files as MetaMorph (STK) and Zeiss (LSM) write them."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from denoisplit.core.arrays import AnyArray

_LONG, _RATIONAL, _SHORT = 4, 5, 3
_CALIBRATED, _X, _Y, _UNIT = 3, 4, 5, 6


def page_of(high: int, wide: int, *more: tuple[int, int, int, int]) -> bytes:
    """Return the list of tags of a page of 16 bits whose pixels begin at byte 8, the last one of a file.

    Tags are their number, type, count, and value or place.
    """
    tags = sorted(
        (
            (256, _LONG, 1, wide),
            (257, _LONG, 1, high),
            (258, _SHORT, 1, 16),
            (259, _SHORT, 1, 1),
            (262, _SHORT, 1, 1),
            (273, _LONG, 1, 8),
            (277, _SHORT, 1, 1),
            (278, _LONG, 1, high),
            (279, _LONG, 1, 2 * high * wide),
            *more,
        )
    )
    return struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4)


def write_stk(
    path: Path, planes: AnyArray, *, size: float, unit: str, step: float, calibrated: bool = True
) -> None:
    """Write a stack [p y x] of 16 bits, with one page for all planes, as MetaMorph does."""
    count, high, wide = planes.shape
    content = bytearray(8) + planes.astype("<u2").tobytes()

    def put(data: bytes) -> int:
        content.extend(bytes(-len(content) % 4))
        content.extend(data)
        return len(content) - len(data)

    fraction = put(struct.pack("<2I", round(size * 10000), 10000))
    text = put(struct.pack("<I", len(unit) + 1) + unit.encode() + b"\0")
    one = put(struct.pack("<8I", _CALIBRATED, calibrated, _X, fraction, _Y, fraction, _UNIT, text))
    two = put(
        b"".join(
            struct.pack("<6I", round(step * 1000), 1000, 2450000, 99 * i, 2450000, 0) for i in range(count)
        )
    )
    three = put(struct.pack("<2I", 525, 1) * count)
    own = ((33628, _LONG, 4, one), (33629, _RATIONAL, count, two), (33630, _RATIONAL, count, three))
    start = put(page_of(high, wide, *own))
    content[:8] = struct.pack("<2sHI", b"II", 42, start)
    path.write_bytes(content)


def write_lsm(
    path: Path, planes: AnyArray, *, voxel: tuple[float, float, float], interval: float = 0.0
) -> None:
    """Write a stack [z c y x] with a thumbnail for every plane; sizes in metres (z, y, x), seconds."""
    depth, channels, high, wide = planes.shape
    known = dict(zip(("VoxelSizeZ", "VoxelSizeY", "VoxelSizeX"), voxel, strict=True))
    said = known | {"MagicNumber": 67127628, "StructureSize": 500, "TimeIntervall": interval}
    said |= {"DimensionX": wide, "DimensionY": high, "DimensionZ": depth, "DimensionChannels": channels}
    record = np.zeros((), np.dtype([(name or "rest", kind) for name, kind in tifffile.TIFF.CZ_LSMINFO]))
    for name, value in (said | {"DimensionTime": 1, "DataType": 2}).items():
        record[name] = value
    described = record.tobytes().ljust(500, b"\0")
    with tifffile.TiffWriter(path, byteorder="<") as writer:
        for number, plane in enumerate(planes):
            extra = [] if number else [(34412, 1, len(described), described, True)]
            how: dict[str, Any] = {"metadata": None, "photometric": "minisblack", "contiguous": False}
            if channels > 1:
                how["planarconfig"] = "separate"
            pixels = plane if channels > 1 else plane[0]
            writer.write(pixels, extratags=extra, **how)
            writer.write(pixels[..., ::4, ::4], subfiletype=1, **how)
