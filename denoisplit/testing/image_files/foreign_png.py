"""PNG of other programs: grays, palettes, opacity, colours, and damaged files."""

import struct
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import imagecodecs
import numpy as np

from denoisplit.testing.image_files.foreign_files import Foreign, counts, image

_GRAY: Final = counts(6, 5, kind="uint8")
_WIDE: Final = counts(6, 5) * 199
_file: Final = partial(Foreign, name="a.png")


def _encoded(path: Path, pixels: Any, damage: Any = None) -> None:
    whole = imagecodecs.png_encode(pixels)
    path.write_bytes(damage(whole) if damage else whole)


def _by_hand(path: Path, bits: int, colour: int, rows: list[bytes], table: bytes = b"") -> None:
    """Write rows of pixels as they are stored; an image 5 pixels wide."""

    def part(name: bytes, content: bytes) -> bytes:
        inside = name + content
        return struct.pack(">I", len(content)) + inside + struct.pack(">I", zlib.crc32(inside))

    head = struct.pack(">IIBBBBB", 5, len(rows), bits, colour, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    parts = [(b"IHDR", head), (b"PLTE", table), (b"IDAT", data), (b"IEND", b"")]
    content = b"".join(part(name, inner) for name, inner in parts if inner or name == b"IEND")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)


def _pictures() -> Iterator[Foreign]:
    for pixels in (_GRAY, _WIDE):
        opaque = np.full_like(pixels, 200)
        stacks = {
            "gray": pixels,
            "gray with opacity": np.stack([pixels, opaque], -1),
            "gray as colours": np.stack([pixels] * 3, -1),
            "gray as colours with opacity": np.stack([pixels] * 3 + [opaque], -1),
        }
        for what, stack in stacks.items():
            write = partial(_encoded, pixels=stack)
            yield _file(what=f"{what} {pixels.dtype}", write=write, image=image(pixels, "yx"))
        for channels in (3, 4):
            colours = counts(6, 5, channels, kind=pixels.dtype.name)
            write = partial(_encoded, pixels=colours)
            yield _file(what=f"{channels} colours", write=write)
            yield _file(what=f"{channels} colours", write=write, axes="yxc", image=image(colours, "yxc"))
            for other in range(3):
                two = np.stack([pixels] * channels, -1)
                two[..., other] += 1
                yield _file(what=f"another {other}", write=partial(_encoded, pixels=two))
        yield _file(what="other axes", write=partial(_encoded, pixels=pixels), axes="zyx")
    rows = [bytes(row) for row in _GRAY]
    ramp = bytes(np.repeat(np.arange(256, dtype=np.uint8), 3))
    write = partial(_by_hand, bits=8, colour=3, rows=rows, table=ramp)
    yield _file(what="a palette of grays", write=write, image=image(_GRAY, "yx"))
    write = partial(_by_hand, bits=8, colour=3, rows=rows, table=ramp[::-1][1:] + b"\7")
    yield _file(what="a palette of colours", write=write)
    for bits in (1, 4):
        yield _file(what=f"{bits} bits", write=partial(_by_hand, bits=bits, colour=0, rows=[bytes(3)] * 4))


def _damaged() -> Iterator[Foreign]:
    for what, damage in (
        ("another beginning", lambda whole: b"x" + whole[1:]),
        ("a changed byte", lambda whole: whole[:45] + bytes([whole[45] ^ 1]) + whole[46:]),
        ("a changed side", lambda whole: whole[:19] + b"\xff" + whole[20:]),
        *((f"{lost} bytes less", partial(_without, lost=lost)) for lost in (1, 4, 11, 12, 13, 20, 30)),
    ):
        write = partial(_encoded, pixels=_GRAY, damage=damage)
        yield _file(what=what, write=write)
    more = partial(_encoded, pixels=_GRAY, damage=lambda whole: whole + b"more")
    yield _file(what="bytes behind the end", write=more, image=image(_GRAY, "yx"))
    huge = partial(_huge, sides=(60_000, 60_000))
    yield _file(what="more pixels than bytes", write=huge)


def _without(whole: bytes, lost: int) -> bytes:
    return whole[:-lost]


def _huge(path: Path, sides: tuple[int, int]) -> None:
    """Write a header that claims these sides."""
    head = b"IHDR" + struct.pack(">IIBBBBB", *sides, 8, 0, 0, 0, 0)
    whole = imagecodecs.png_encode(_GRAY)
    path.write_bytes(whole[:12] + head + struct.pack(">I", zlib.crc32(head)) + whole[33:])


FILES: Final = (*_pictures(), *_damaged())
