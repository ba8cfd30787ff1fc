"""MRC files of other programs: axes, byte orders and pixel types in every dialect."""

import struct
from collections.abc import Iterator
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import Any, Final

import numpy as np

from denoisplit.testing.image_files.foreign_files import Foreign, counts, image

_file: Final = partial(Foreign, name="a.mrc")
_SIDES: Final = (4, 3, 5)
_MICRONS: Final = {"x": 0.1, "y": 0.2, "z": 0.3}
_KINDS: Final = {"i1": 0, "u1": 0, "i2": 1, "f4": 2, "u2": 6, "f2": 12}


def _write(
    path: Path,
    pixels: Any,
    *,
    order: str = "<",
    mode: int | None = None,
    cell: tuple[float, ...] = (0.0, 0.0, 0.0),
    sampling: tuple[int, ...] = (0, 0, 0),
    named: tuple[int, ...] = (1, 2, 3),
    group: int = 1,
    words: dict[int, bytes] | None = None,
    extended: bytes = b"",
    standard: bool = True,
    cut: int = 0,
) -> None:
    """Write a header and pixels; ``named`` numbers the axes of columns, rows and sections."""
    kind = pixels.dtype.str[1:]
    sides = (1,) * (3 - pixels.ndim) + pixels.shape
    head = bytearray(1024)
    struct.pack_into(f"{order}4i", head, 0, *sides[::-1], _KINDS[kind] if mode is None else mode)
    struct.pack_into(f"{order}3i3f", head, 28, *sampling, *cell)
    struct.pack_into(f"{order}3i", head, 64, *named)
    struct.pack_into(f"{order}2i", head, 88, group, len(extended))
    if standard:
        head[208:214] = b"MAP " + (b"\x44\x44" if order == "<" else b"\x11\x11")
    for place, word in (words or {}).items():
        head[place : place + len(word)] = word
    content = bytes(head) + extended + pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
    path.write_bytes(content[: len(content) - cut])


def _volumes() -> Iterator[Foreign]:
    pixels = counts(*_SIDES, kind="int16")
    for number, letters in enumerate(map("".join, permutations("xyz"))):
        sides = dict(zip(letters, _SIDES, strict=True))
        write = partial(
            _write,
            pixels=pixels,
            order="<>"[number % 2],
            named=tuple("xyz".index(letter) + 1 for letter in letters[::-1]),
            sampling=tuple(sides[letter] for letter in "xyz"),
            cell=tuple(1e4 * _MICRONS[letter] * sides[letter] for letter in "xyz"),
        )
        size = tuple(_MICRONS[letter] for letter in letters)
        yield _file(what=f"sections {letters}", write=write, image=image(pixels, letters, size))


def _kinds() -> Iterator[Foreign]:
    for number, kind in enumerate(_KINDS):
        pixels = (counts(2, *_SIDES[1:]) % 100).astype(kind)
        imod = {152: struct.pack("<2i", 1146047817, kind == "i1")} if kind in ("i1", "u1") else {}
        order = "<" if imod else "<>"[number % 2]
        write = partial(_write, pixels=pixels, order=order, words=imod)
        yield _file(what=f"pixels of {kind}", write=write, image=image(pixels, "zyx"))
    signed = (counts(2, *_SIDES[1:]) % 100).astype("i1")
    for name, write, found in (
        ("bytes of the standard", partial(_write, pixels=signed), signed),
        ("bytes before the standard", partial(_write, pixels=signed, standard=False), signed.astype("u1")),
    ):
        yield _file(what=name, write=write, image=image(found, "zyx"), axes="zyx")
    for mode, what in ((3, "whole complex"), (4, "complex"), (101, "half bytes"), (7, "unknown")):
        yield _file(what=f"{what} pixels", write=partial(_write, pixels=signed, mode=mode))


def _stacks() -> Iterator[Foreign]:
    pixels = counts(*_SIDES, kind="int16")
    for rows, columns, axes in ((2, 1, "yx"), (1, 2, "xy"), (0, 0, "yx")):
        named = (columns, rows, 3 if rows else 0)
        for planes, prefix in ((pixels, "s"), (pixels[0], "")):
            write = partial(_write, pixels=planes, named=named, group=0 if prefix else 1)
            yield Foreign(
                what=f"images {axes}", name="a.mrcs", write=write, image=image(planes, prefix + axes)
            )
    volumes = counts(6, *_SIDES[1:], kind="int16")
    write = partial(_write, pixels=volumes, group=401, sampling=(5, 3, 2))
    found = image(volumes.reshape(3, 2, *_SIDES[1:]), "szyx")
    yield _file(what="a stack of volumes", write=write, image=found)
    write = partial(_write, pixels=volumes, group=401, sampling=(5, 3, 1))
    yield _file(what="a stack of volumes of one plane", write=write, image=image(volumes[:, None], "szyx"))
    for planes in (4, 6, 0):
        write = partial(_write, pixels=volumes, group=401, sampling=(5, 3, planes))
        yield _file(what=f"a volume as volumes of {planes}", write=write, image=image(volumes, "zyx"))


def _light_microscopes() -> Iterator[Foreign]:
    pixels = counts(12, *_SIDES[1:])
    dim = {"t": 3, "c": 2, "z": 2}
    for number, letters in {0: "ctz", 1: "tzc", 2: "tcz"}.items():
        words = {96: struct.pack("<h", -16224), 180: struct.pack("<2h", 3, number), 196: struct.pack("<h", 2)}
        write = partial(_write, pixels=pixels, standard=False, cell=(0.1, 0.2, 0.3), words=words)
        stack = pixels.reshape(*(dim[letter] for letter in letters), *_SIDES[1:])
        yield Foreign(
            what=f"DeltaVision, {letters}",
            name="a.dv",
            write=write,
            image=image(stack, f"{letters}yx", tuple(_MICRONS[a] for a in f"{letters}yx" if a in _MICRONS)),
        )
    words = {96: struct.pack("<h", -16224), 180: struct.pack("<2h", 1, 0), 196: struct.pack("<h", 1)}
    write = partial(_write, pixels=pixels, standard=False, cell=(0.1, 0.2, 0.3), words=words)
    found = image(pixels, "zyx", (0.3, 0.2, 0.1))
    yield Foreign(what="DeltaVision, a stack alone", name="a.dv", write=write, image=found)
    for sides, cell, size in (
        ((5, 3, 4), (0.5, 0.6, 1.2), (0.3, 0.2, 0.1)),
        ((5, 3, 4), (0.005, 0.005, 0.005), (0.005, 0.005, 0.005)),
        ((0, 0, 0), (0.5, 0.6, 1.2), ()),
        ((5, 3, 4), (0.5, -0.6, np.inf), (None, None, 0.1)),
    ):
        write = partial(_write, pixels=pixels[:4], standard=False, sampling=sides, cell=cell)
        yield _file(what=f"µm {cell}", write=write, image=image(pixels[:4], "zyx", size), axes="zyx")
        yield _file(what="sections of an unknown sort", write=write)
    write = partial(_write, pixels=pixels[0], standard=False, sampling=(5, 3, 1), cell=(0.5, 0.6, 0.3))
    yield _file(what="a plane", write=write, image=image(pixels[0], "yx", (0.2, 0.1)))


def _damaged() -> Iterator[Foreign]:
    pixels = counts(*_SIDES, kind="int16")
    for order, words in (("<", {}), (">", {}), ("<", {212: b"\0\0"}), (">", {212: b"\0\0"})):
        write = partial(_write, pixels=pixels, order=order, words=words, extended=b"x" * 80)
        yield _file(what=f"words behind the header {order}", write=write, image=image(pixels, "zyx"))
    square = counts(256, 256, 1, kind="int16")[:1].repeat(1, 0)
    for order in "<>":
        write = partial(_write, pixels=square, order=order, words={208: bytes(6)})
        yield _file(what=f"no stamp {order}", write=write, image=image(square[0], "yx"))
    # Sides that make sense in either order of bytes, as 256 and 65536 do: the size of the file decides.
    cube = np.zeros((256, 256, 256), np.uint8)
    cube[5, 7, 9] = 3
    for order in "<>":
        write = partial(_write, pixels=cube, order=order, standard=False)
        yield _file(what=f"a cube {order}", write=write, image=image(cube, "zyx"), axes="zyx")
    wrong: tuple[tuple[str, dict[str, Any]], ...] = (
        ("one byte is missing", {"cut": 1}),
        ("no pixels", {"words": {0: bytes(4)}}),
        ("a negative side", {"words": {4: b"\xff\xff\xff\xff"}}),
        ("a side beyond all", {"words": {8: b"\0\0\0\x01"}}),
        ("a negative kind", {"mode": -1}),
        ("a kind beyond all", {"mode": 102}),
        ("negative words behind the header", {"words": {92: b"\xff\xff\xff\xff"}}),
        ("words beyond all", {"words": {92: b"\0\0\0\x40"}}),
    )
    for what, how in wrong:
        yield _file(what=what, write=partial(_write, pixels=pixels, **how))
    remark = b'{"axes": "zyx", "pixel_size": [0.9, 0.8, 0.7], "unit": "um"}'
    known: dict[str, Any] = {"sampling": _SIDES[::-1], "cell": (5000, 6000, 12000), "extended": remark}
    for axes, size in ((None, (0.9, 0.8, 0.7)), ("zyx", (0.3, 0.2, 0.1)), ("xyz", (0.1, 0.2, 0.3))):
        write = partial(_write, pixels=pixels, **known)
        found = image(pixels, axes or "zyx", size)
        yield _file(what=f"sizes said twice, {axes}", write=write, axes=axes, image=found)
    broken = (b'{"sides": [4, 3, 6], "axes": "zyx"}', b'{"sides": 7, "axes": "zyx"}', b"{", b'{"axes": 3}')
    for remark in broken:
        write = partial(_write, pixels=pixels, extended=remark)
        yield _file(what=f"the remark {remark!r}", write=write, image=image(pixels, "zyx"))


FILES: Final = (*_volumes(), *_kinds(), *_stacks(), *_light_microscopes(), *_damaged())
