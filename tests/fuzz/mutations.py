"""Damage to small valid inputs: to bytes, to texts, and to the values of JSON, YAML and archives."""

import io
import json
import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any, Final

Mutate = Callable[[bytes, random.Random], bytes]

_INTEGERS: Final = (0, 1, 2, 7, 127, 128, 255, 256, 32_767, 65_535, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**62)
_SIGNED: Final = (*_INTEGERS, -1, -2, -(2**31), -(2**63), 2**63 - 1, 2**64 - 1)
_WIDTHS: Final = (1, 2, 4, 8)
_WORDS: Final = (
    *("", "0", "-1", "1e400", "nan", "NaN", "Infinity", "-inf", "null", "true", "9" * 400, "x" * 3000),
    *(
        "\x00",
        "\x1b[31m",
        "\ud7ff\u202e",
        "é",
        "\n",
        "\r",
        "\t",
        "  ",
        '"',
        "'",
        "\\",
        ",",
        ";",
        "%s",
        "${HOME}",
    ),
    *(
        "&a ",
        "*a",
        "<<: ",
        "? ",
        "- ",
        "!!python/name:os.system ",
        "!!set ",
        "!x ",
        "---\n",
        "...",
        "|",
        ">",
        "#",
    ),
    *("[" * 200, "{" * 40, "]", "}", ": ", "../../etc/passwd", "/dev/zero", "::", "a::b/c", "sep=;\n"),
)
_VALUES: Final[tuple[Any, ...]] = (
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        2,
        3,
        0.5,
        -0.0,
        1e308,
        float("inf"),
        float("nan"),
        2**31,
        2**63,
        -(2**64),
    ),
    *(
        "",
        "x",
        "0",
        "nan",
        "\x00",
        "é\n\x1b",
        "zyx",
        "µm",
        "../..",
        "y" * 500,
        [],
        {},
        [[]],
        [None],
        {"": 0},
        [1, "a"],
    ),
    *([0] * 40, {"a": {"b": [1]}}, "denoisplit/scale", "uint16", "<f8", [1e300, -1e300], [2**40, 2**40]),
)


def damaged(data: bytes, rng: random.Random) -> bytes:
    """One to three changes of bytes."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        data = rng.choice(_BYTES)(bytearray(data or b"\0"), rng)
    return data


def _flip(data: bytearray, rng: random.Random) -> bytes:
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def _random_byte(data: bytearray, rng: random.Random) -> bytes:
    data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)


def _integer(data: bytearray, rng: random.Random) -> bytes:
    width = rng.choice(_WIDTHS)
    value = rng.choice(_SIGNED) % 2 ** (8 * width)
    at = rng.randrange(len(data))
    if rng.random() < 0.7:
        at -= at % min(width, 4)
    data[at : at + width] = value.to_bytes(width, rng.choice(("little", "big")))
    return bytes(data)


def _near(data: bytearray, rng: random.Random) -> bytes:
    """A small change of a number that is there."""
    at = rng.randrange(max(1, len(data) - 4)) & ~1
    (value,) = struct.unpack_from("<H", bytes(data[at : at + 2]).ljust(2, b"\0"))
    data[at : at + 2] = struct.pack("<H", (value + rng.choice((-1, 1, 2, 16, -16))) % 65_536)
    return bytes(data)


def _cut(data: bytearray, rng: random.Random) -> bytes:
    return bytes(data[: rng.randrange(len(data))])


def _remove(data: bytearray, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    del data[at : at + rng.choice((1, 2, 4, 8, 64))]
    return bytes(data)


def _insert(data: bytearray, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    data[at:at] = rng.randbytes(rng.choice((1, 2, 4, 8, 64)))
    return bytes(data)


def _copy(data: bytearray, rng: random.Random) -> bytes:
    """A piece of the input in another place."""
    size = rng.choice((2, 4, 8, 12, 24, 64))
    start, to = rng.randrange(len(data)), rng.randrange(len(data))
    data[to : to + size] = data[start : start + size]
    return bytes(data)


def _zeros(data: bytearray, rng: random.Random) -> bytes:
    at, size = rng.randrange(len(data)), rng.choice((4, 8, 64, 512))
    data[at : at + size] = bytes(len(data[at : at + size])) if rng.random() < 0.5 else b"\xff" * size
    return bytes(data)


_BYTES: Final = (_flip, _random_byte, _integer, _integer, _near, _cut, _remove, _insert, _copy, _zeros)


def garbled(data: bytes, rng: random.Random) -> bytes:
    """One to three changes of a text."""
    text = data.decode("utf-8", "replace")
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.randrange(len(text) + 1)
        word = rng.choice(_WORDS)
        lines = text.splitlines(keepends=True) or [""]
        number = rng.randrange(len(lines))
        change = rng.randrange(7)
        if change == 0:
            text = text[:at] + word + text[at:]
        elif change == 1:
            text = text[:at] + word + text[at + rng.choice((1, 3, 10)) :]
        elif change == 2:
            text = text[:at]
        elif change == 3:
            text = "".join([*lines[:number], *lines[number + 1 :]])
        elif change == 4:
            text = "".join([*lines[: number + 1], *lines[number : number + 1] * rng.choice((1, 1, 30))])
        elif change == 5:
            text = "".join([*lines[:number], " " * rng.randrange(9) + lines[number], *lines[number + 1 :]])
        else:
            text = text.replace(rng.choice((",", ":", '"', "\n", "[", " ")), word, rng.choice((1, -1)))[
                :20_000
            ]
    encoding = rng.choice(("utf-8",) * 8 + ("utf-16", "cp1252", "utf-8-sig", "utf-16-le", "latin-1"))
    return text.encode(encoding, "replace")


def changed(value: Any, rng: random.Random) -> Any:
    """A tree of mappings, lists and scalars with one part of it changed."""
    places: list[tuple[Any, Any]] = []
    copy = json.loads(json.dumps(value))
    _collect(copy, places)
    if not places:
        return rng.choice(_VALUES)
    for _ in range(rng.choice((1, 1, 1, 2))):
        holder, key = rng.choice(places)
        if (isinstance(holder, list) and key >= len(holder)) or (
            isinstance(holder, dict) and key not in holder
        ):
            continue
        change = rng.randrange(8)
        if change < 4:
            holder[key] = rng.choice(_VALUES)
        elif change == 4:
            del holder[key]
        elif change == 5:
            other, there = rng.choice(places)
            part = other[there] if isinstance(other, dict) and there in other else rng.choice(_VALUES)
            holder[key] = json.loads(json.dumps(part))
        elif change == 6 and isinstance(holder, dict):
            holder[rng.choice(_WORDS)[:20]] = holder.pop(key)
        elif isinstance(holder, list):
            holder.extend(holder[key : key + 1] * rng.choice((1, 5)))
        else:
            holder[key] = [holder[key]]
    return copy


def _collect(value: Any, places: list[tuple[Any, Any]]) -> None:
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        places.append((value, key))
        _collect(value[key], places)


def json_changed(data: bytes, rng: random.Random) -> bytes:
    """JSON whose values changed, or its text; YAML reads it, too."""
    if rng.random() < 0.3:
        return garbled(data, rng)
    if rng.random() < 0.1:
        return damaged(data, rng)
    return json.dumps(changed(json.loads(data), rng)).encode()


def zip_changed(inner: Mutate = damaged) -> Mutate:
    """Archives in which a member changed, so that no checksum tells; sometimes the archive itself."""

    def change(data: bytes, rng: random.Random) -> bytes:
        if rng.random() < 0.25:
            return damaged(data, rng)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        name = rng.choice(list(members))
        act = rng.randrange(12)
        if act == 0:
            del members[name]
        elif act == 1:
            members[rng.choice(_WORDS)[:30].replace("\x00", "") or "x"] = members.pop(name)
        elif act == 2:
            members[name] = members[rng.choice(list(members))]
        else:
            members[name] = inner(members[name], rng)
        made = io.BytesIO()
        method = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
        with zipfile.ZipFile(made, "w", method) as archive:
            for name, member in members.items():
                archive.writestr(name, member)
        return made.getvalue()

    return change


def npy_changed(data: bytes, rng: random.Random) -> bytes:
    """The header of an array changed, or any of its bytes."""
    if rng.random() < 0.5 or not data.startswith(b"\x93NUMPY"):
        return damaged(data, rng)
    (size,) = struct.unpack_from("<H", data, 8)
    header = data[10 : 10 + size].decode("latin-1")
    pieces = (
        "'",
        "(",
        ")",
        ",",
        "True",
        "<u2",
        "<f8",
        "O",
        "V7",
        "U9",
        "c16",
        "-1",
        "99999999999",
        "0",
        "shape",
        "3",
    )
    at = rng.randrange(len(header.rstrip()) or 1)
    header = header[:at] + rng.choice(pieces) + header[at + rng.choice((0, 1, 2, 3)) :]
    return data[:8] + struct.pack("<H", len(header)) + header.encode("latin-1") + data[10 + size :]


def safetensors_changed(data: bytes, rng: random.Random) -> bytes:
    """The JSON in front of tensors changed, or any of the bytes."""
    if rng.random() < 0.4:
        return damaged(data, rng)
    (size,) = struct.unpack_from("<Q", data)
    header = json_changed(data[8 : 8 + size], rng)
    return struct.pack("<Q", len(header)) + header + data[8 + size :]


def png_changed(data: bytes, rng: random.Random) -> bytes:
    """A chunk changed, with the checksum that belongs to it, or any of the bytes."""
    if rng.random() < 0.3:
        return damaged(data, rng)
    chunks: list[tuple[bytes, bytes]] = []
    at = 8
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        chunks.append((kind, data[at + 8 : at + 8 + size]))
        at += 12 + size
    number = rng.randrange(len(chunks))
    kind, content = chunks[number]
    if kind == b"IDAT" and rng.random() < 0.5:
        content = zlib.compress(damaged(zlib.decompress(content), rng))
    else:
        content = damaged(content, rng)
    chunks[number] = (kind, content)
    if rng.random() < 0.1:
        chunks.insert(rng.randrange(len(chunks)), rng.choice(chunks))
    return data[:8] + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )
