"""TIFF files that list one page: stacks of ImageJ, planes that nothing describes, and long descriptions."""

import struct
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import tifffile

from denoisplit.core.arrays import AnyArray
from denoisplit.testing.image_files.foreign_files import Foreign, counts, image
from denoisplit.testing.image_files.vendor_tiffs import page_of

_STACK: Final = counts(3, 16, 20)
_PLANE: Final = _STACK[0]
_TEXT: Final = 2


def unlisted() -> Iterator[Foreign]:
    """Files with one page in their list, with and without the bytes of more."""
    yield from _stacks()
    plain = partial(_written, pixels=_PLANE)
    for write in (plain, partial(_described_last, planes=_STACK[:1])):
        yield _read("one plane", write, image(_PLANE, "yx"))
    more = partial(_described_last, planes=_STACK[:2])
    damaged = partial(_written, metadata={"axes": "ZYX"}, damage=(b'"ZYX"', b'"Z,X '))
    alone = partial(damaged, pixels=_STACK, truncate=True)
    for write in (partial(plain, tail=_PLANE.nbytes), more, alone):
        yield _read("planes that are not described", write, None)
        yield _read("planes that are not described", write, image(_PLANE, "yx"), "yx")
    yield _read("planes that are not described", partial(plain, tail=_PLANE.nbytes), None, "zyx")
    yield _read("less than a plane", partial(plain, tail=_PLANE.nbytes - 1), image(_PLANE, "yx"))
    two = partial(damaged, pixels=_STACK[:2])
    yield _read("damaged words", two, image(_STACK[:2], "zyx"), "zyx")
    tiny = _PLANE[:3, :3]
    for write in (partial(_written, pixels=tiny, tail=40), partial(_described_last, planes=tiny[None])):
        yield _read("padding", write, image(tiny, "yx"))
    packed = partial(_written, pixels=_PLANE, compression="zlib", tail=9999)
    yield _read("notes after compressed pixels", packed, image(_PLANE, "yx"))
    for words in ("images=3\nslices=a\n", "slices=-1\n"):
        wrong = partial(_written, pixels=_PLANE, description=f"ImageJ=1.54f\n{words}")
        yield _read("numbers that are none", wrong, image(_PLANE, "yx"), "yx")
    none = partial(_written, pixels=_PLANE, description="ImageJ=1.54f\nimages=0\n")
    yield _read("no planes that are counted", none, image(_PLANE, "yx"))
    claims = partial(_written, pixels=_STACK, description="ImageJ=1.54f\nimages=9\nslices=9\n")
    yield _read("planes that are not there", claims, None)
    yield _read("planes that are not there", claims, image(_STACK, "zyx"), "zyx")
    for words in ("images=9\n", "images=9\nslices=a\n", "images=a\nslices=9\n"):
        claims = partial(_written, pixels=_PLANE, description=f"ImageJ=1.54f\n{words}")
        yield _read("planes that are not there", claims, None)
        yield _read("planes that are not there", claims, image(_PLANE, "yx"), "yx")
    two = partial(_written, pixels=_STACK[:2].transpose(1, 2, 0), planarconfig="contig")
    samples = partial(two, description="ImageJ=1.54f\nimages=2\nchannels=2\n")
    yield _read("channels as samples", samples, image(_STACK[:2].transpose(1, 2, 0), "yxc"))
    for small in (_PLANE[:8, :8], _PLANE.T):
        write = partial(_with_thumbnail, pixels=_PLANE, thumbnail=small)
        yield _read("a thumbnail", write, image(_PLANE, "yx"))
    noted = partial(_described_last, planes=_STACK[:1], words="x" * 2000)
    yield _read("a long description", noted, image(_PLANE, "yx"))


def _stacks() -> Iterator[Foreign]:
    """Stacks of ImageJ of which the first plane alone is listed."""
    for letter in "tzc":
        axes = {"axes": f"{letter}yx".upper()}
        stack = partial(_written, pixels=_STACK, imagej=True, truncate=True, metadata=axes)
        whole = image(_STACK, f"{letter}yx")
        yield _read("one listed page", stack, whole)
        for lost in (1, _PLANE.nbytes + 1):
            yield _read(f"one listed page, {lost} bytes less", partial(stack, tail=-lost), None)
        more = partial(stack, tail=_PLANE.nbytes)
        yield _read("a plane more than ImageJ says", more, None)
        yield _read("a plane more than ImageJ says", more, whole, f"{letter}yx")


def _read(what: str, write: Any, found: Any, axes: str | None = None) -> Foreign:
    return Foreign(what=what, name="a.tif", write=write, image=found, axes=axes)


def _written(
    path: Path, pixels: AnyArray, tail: int = 0, damage: tuple[bytes, bytes] = (b"", b""), **how: Any
) -> None:
    """Write a file, with more or fewer bytes at its end, or with a damaged description."""
    tifffile.imwrite(path, pixels, **({"metadata": None, "photometric": "minisblack"} | how))
    content = path.read_bytes()
    content = content.replace(*damage) if damage[0] else content
    path.write_bytes(content[:tail] if tail < 0 else content + bytes(tail))


def _with_thumbnail(path: Path, pixels: AnyArray, thumbnail: AnyArray) -> None:
    with tifffile.TiffWriter(path) as writer:
        for page, sort in ((pixels, 0), (thumbnail, 1)):
            writer.write(page, subfiletype=sort, metadata=None, photometric="minisblack", contiguous=False)


def _described_last(path: Path, planes: AnyArray, words: str = "") -> None:
    """Write all planes, then a page that describes the first of them, as many libraries do."""
    _, high, wide = planes.shape
    pixels, text = planes.astype("<u2").tobytes(), f"{words} pixels".encode() + b"\0"
    end = 8 + len(pixels)
    start = struct.pack("<2sHI", b"II", 42, end + len(text))
    path.write_bytes(start + pixels + text + page_of(high, wide, (270, _TEXT, len(text), end)))
