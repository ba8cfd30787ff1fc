"""CZI of other programs: scenes of one channel each, late starts, pictures, and times in milliseconds."""

import re
import struct
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from denoisplit.core.arrays import AnyArray
from denoisplit.core.images.bases import Image
from denoisplit.testing.image_files.foreign_files import Foreign, counts, image
from denoisplit.testing.image_files.microscope_files import write_czi

_file: Final = partial(Foreign, name="a.czi")
_SCENES: Final = counts(2, 6, 5)
_AXIS: Final = struct.Struct("<4siifi")
"""An axis as it is listed: name, start, size, coordinate, and size as stored."""

_END: Final = b"</ImageDocument>"
_NAMES: Final = ("actin", "dna")


def _one_each(path: Path) -> None:
    """Write two scenes, the first of which shows the first channel and the second the other one."""
    czi = pytest.importorskip("pylibCZIrw.czi")
    with czi.create_czi(str(path)) as file:
        for number, pixels in enumerate(_SCENES):
            file.write(pixels[..., None], location=(9 * number, 0), plane={"C": number}, scene=number)
        file.write_metadata("cells", channel_names=dict(enumerate(_NAMES)))


def _scenes() -> Iterator[Foreign]:
    for number, name in enumerate(_NAMES):
        found = image(_SCENES[number], "yx", names=(name,))
        yield _file(what=f"scene {number}", write=_one_each, inside=str(number), image=found)
    yield _file(what="scenes of different channels", write=_one_each)


def _named() -> Iterator[Foreign]:
    one, two = (Image(data=pixels, axes="yx") for pixels in _SCENES)
    for given, names in ((("left", "right"), ("left", "right")), (("cell", "cell"), ("0", "1"))):
        write = partial(_written, scenes=(one, two), names=given)
        for name, pixels in zip(names, _SCENES, strict=True):
            yield _file(what=f"{given}, {name}", write=write, inside=name, image=image(pixels, "yx"))
    write = partial(_written, scenes=(one, two), names=("left", "right"))
    yield _file(what="no such scene", write=write, inside="middle")


def _written(path: Path, scenes: tuple[Image, ...], names: tuple[str, ...]) -> None:
    write_czi(path, *scenes, names=names)


def _asked_for(path: Path, asked: tuple[tuple[str, float], ...]) -> None:
    """Write two frames with intervals as ZEN asks its hardware for them, one for each part of a recording."""
    czi = pytest.importorskip("pylibCZIrw.czi")
    write_czi(path, Image(data=_SCENES, axes="tyx"))
    spans = "".join(
        f"<Interval><TimeSpan><DefaultUnitFormat>{unit}</DefaultUnitFormat><Value>{value}</Value></TimeSpan>"
        f"</Interval>"
        for unit, value in asked
    )
    with czi.edit_czi(str(path)) as file, file.edit_session() as metadata:
        metadata.set_xml(metadata.get_xml().replace("</Dimensions>", f"{spans}</Dimensions>"))


def _times() -> Iterator[Foreign]:
    in_ms, in_s = ("ms", 40.0), ("s", 0.5)
    for asked, seconds in (((in_ms,), 0.04), ((in_s,), 0.5), ((in_ms, in_s), 0.04), ((in_s, in_ms), 0.5)):
        units = ", then ".join(unit for unit, _ in asked)
        write, found = partial(_asked_for, asked=asked), image(_SCENES, "tyx", interval=seconds)
        yield _file(what=f"an interval in {units}", write=write, image=found)


_LATE: Final = counts(2, 3, 4, 6, 5)
_FIRST: Final = {"T": 3, "Z": 2, "C": 1}
"""Numbers of the first frame, plane and channel of a recording that begins late."""


def _from_there_on(path: Path) -> None:
    """Write a part of a longer recording, whose frames, planes and channels keep their numbers."""
    czi = pytest.importorskip("pylibCZIrw.czi")
    with czi.create_czi(str(path)) as file:
        for place in np.ndindex(_LATE.shape[:3]):
            plane = {letter: first + at for (letter, first), at in zip(_FIRST.items(), place, strict=True)}
            file.write(_LATE[place][..., None], location=(7, 3), plane=plane, scene=0)


def _pictured(path: Path, gray: bool) -> None:
    """Write a picture, with blue first, and a gray channel where it is asked for."""
    czi = pytest.importorskip("pylibCZIrw.czi")
    with czi.create_czi(str(path)) as file:
        if gray:
            file.write(_PICTURE[..., :1], plane={"C": 0}, scene=0)
        file.write(_PICTURE[..., ::-1], plane={"C": int(gray)}, scene=0)


_PICTURE: Final = counts(6, 5, 3)


def _all_axes(path: Path) -> None:
    """Write a plane that has a place along every axis that there is."""
    czi = pytest.importorskip("pylibCZIrw.czi")
    with czi.create_czi(str(path)) as file:
        file.write(_SCENES[0][..., None], plane=dict.fromkeys("CZTRIHVB", 0), scene=0)


def _half_named(path: Path) -> None:
    """Write two channels, of which the first alone has a name."""
    czi = pytest.importorskip("pylibCZIrw.czi")
    with czi.create_czi(str(path)) as file:
        for number, pixels in enumerate(_SCENES):
            file.write(pixels[..., None], plane={"C": number}, scene=0)
    with czi.edit_czi(str(path)) as file, file.edit_session() as metadata:
        xml = metadata.get_xml()
        start, end = xml.index("<Channel "), xml.index("</Channels>")
        metadata.set_xml(f"{xml[:start]}<Channel Id='Channel:0' Name='dna'/>{xml[end:]}")


def _described(path: Path, pixels: AnyArray, change: Callable[[dict[str, list[int]]], Any]) -> None:
    """Write planes; ``change`` may then change the axes of each as they are listed, and their order."""
    write_czi(path, Image(data=pixels, axes="tyx"[-pixels.ndim :], channel_names=_NAMES[:1]))
    content = path.read_bytes()
    for block in re.finditer(rb"DV.{26}(\x07...)", content, re.DOTALL):
        listed = _AXIS.iter_unpack(content[block.end() : block.end() + 7 * _AXIS.size])
        axes = {name[:1].decode(): [start, size, stored] for name, start, size, _, stored in listed}
        change(axes)
        said = [_AXIS.pack(name.encode(), one[0], one[1], 0.0, one[2]) for name, one in axes.items()]
        content = content[: block.end()] + b"".join(said) + content[block.end() + 7 * _AXIS.size :]
    path.write_bytes(content)


def _columns_first(path: Path) -> None:
    """Write a plane whose description lists Y before X; the library finds the same pixels in it."""
    _described(path, _SCENES[0], lambda axes: axes.update({"X": axes.pop("X")}))
    with pytest.importorskip("pylibCZIrw.czi").open_czi(str(path)) as file:
        assert np.array_equal(file.read(plane={"C": 0})[..., 0], _SCENES[0]), (
            "the library reads something else"
        )


def _several_planes(axes: dict[str, list[int]]) -> None:
    """Let a block hold six planes: axes are listed from the fastest to the slowest."""
    axes |= {"Y": [0, 4, 4], "Z": [0, 2, 2], "T": [0, 3, 3]}


def _other_axes(axes: dict[str, list[int]]) -> None:
    """Have no axis of channels or scenes, as files of other programs."""
    axes |= {"R": axes.pop("C"), "I": axes.pop("S")}


def _first_without_time(axes: dict[str, list[int]]) -> None:
    """List no axis of time for the first frame."""
    if axes["T"][0] == 0:
        axes["R"] = axes.pop("T")


def _cut(path: Path) -> None:
    """Write channels with names in metadata that lack their end."""
    write_czi(path, Image(data=_SCENES, axes="cyx", channel_names=_NAMES))
    path.write_bytes(path.read_bytes().replace(_END, bytes(len(_END))))


def _others() -> Iterator[Foreign]:
    one = image(_SCENES[0], "yx", names=_NAMES[:1])
    yield _file(what="Y before X", write=_columns_first, image=one)
    write = partial(_described, pixels=_SCENES[0], change=_other_axes)
    yield _file(what="no axis of channels", write=write, inside="0", image=one)
    tall = counts(24, 5)
    write = partial(_described, pixels=tall, change=_several_planes)
    found = image(tall.reshape(3, 2, 4, 5), "tzyx", names=_NAMES[:1])
    yield _file(what="a block of several planes", write=write, image=found)
    write = partial(_described, pixels=_SCENES, change=_first_without_time)
    yield _file(what="a frame without a time", write=write, image=image(_SCENES, "tyx", names=_NAMES[:1]))
    yield _file(what="metadata without an end", write=_cut, image=image(_SCENES, "cyx"))
    yield _file(what="a name of two", write=_half_named, image=image(_SCENES, "cyx"))
    yield _file(what="all axes", write=_all_axes, image=image(_SCENES[0], "yx"))
    yield _file(what="a late start", write=_from_there_on, image=image(np.moveaxis(_LATE, 2, 1), "tczyx"))
    write = partial(_pictured, gray=False)
    yield _file(what="a picture", write=write)
    yield _file(what="a picture", write=write, axes="yxc", image=image(_PICTURE, "yxc"))
    yield _file(what="a picture among channels", write=partial(_pictured, gray=True))


FILES: Final = (*_scenes(), *_named(), *_times(), *_others())
