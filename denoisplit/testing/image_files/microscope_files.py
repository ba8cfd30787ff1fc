"""Files as microscopes write them: CZI by Zeiss's own library, ND2 and LIF by their public descriptions."""

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
import pytest

from denoisplit.core.arrays import AnyArray
from denoisplit.core.images.axes import sizes_by_axis
from denoisplit.core.images.bases import Image

_MAGIC, _STAR = 0x70, 0x2A
_DIMENSIONS = {"x": 1, "y": 2, "z": 3, "t": 4, "s": 10, "h": 6}


def write_czi(
    path: Path,
    *scenes: Image,
    names: Sequence[str] = (),
    compression: str = "uncompressed:",
    tile: int = 10**6,
    places: Sequence[tuple[int, int]] = (),
) -> None:
    """Write scenes, in tiles of ``tile`` pixels a side, with the library of the maker of the format.

    Args:
        path: path of the file.
        scenes: images; one with positions gives a scene for each of them.
        names: names of the scenes.
        compression: compression of the pixels.
        tile: pixels along a side of a tile.
        places: upper left corners of the scenes, x and y.
    """
    czi = pytest.importorskip("pylibCZIrw.czi")

    first = scenes[0]
    if "s" in first.axes:
        scenes = tuple(
            Image(data=part, axes=first.axes.replace("s", ""))
            for part in np.moveaxis(first.pixels, first.axes.index("s"), 0)
        )
    sizes = sizes_by_axis(first)
    with czi.create_czi(str(path), exist_ok=True, compression_options=compression) as file:
        for number, scene in enumerate(scenes):
            pixels = scene.pixels
            colours = scene.axes.endswith("r")
            leading = scene.axes[: -3 if colours else -2]
            x, y = places[number] if places else (0, 0)
            for place in np.ndindex(pixels.shape[: len(leading)]):
                plane = pixels[place] if colours else pixels[place][..., None]
                for top in range(0, plane.shape[0], tile):
                    for left in range(0, plane.shape[1], tile):
                        file.write(
                            plane[top : top + tile, left : left + tile],
                            location=(x + left, y + top),
                            plane=dict(zip(leading.upper(), place, strict=True)),
                            scene=number,
                        )
        file.write_metadata(
            "cells",
            channel_names=dict(enumerate(first.channel_names)),
            **{f"scale_{letter}": sizes.get(letter, 0) * 1e-6 for letter in "xyz"},
        )
    _add_to_czi(path, first, names)


def _add_to_czi(path: Path, image: Image, names: Sequence[str]) -> None:
    """Add what the library cannot write: the time interval, the names of scenes and of all channels."""
    czi = pytest.importorskip("pylibCZIrw.czi")

    more = ""
    if image.time_interval is not None:
        interval = f"<Start>0</Start><Increment>{image.time_interval.value}</Increment>"
        more += f"<T><Positions><Interval>{interval}</Interval></Positions></T>"
    if names:
        scenes = "".join(f"<Scene Index='{i}' Name={quoteattr(name)}/>" for i, name in enumerate(names))
        more += f"<S><Scenes>{scenes}</Scenes></S>"
    with czi.edit_czi(str(path)) as file, file.edit_session() as metadata:
        xml = metadata.get_xml().replace("</Dimensions>", f"{more}</Dimensions>")
        if not image.channel_names:
            xml = xml.replace('Name="C:', 'Other="')
        metadata.set_xml(xml)


def write_lif(
    path: Path,
    image: Image,
    *more: tuple[str, Image],
    name: str = "Series001",
    tables: Sequence[str] = (),
    lacking: int = 0,
) -> None:
    """Write a project of one image and more.

    Args:
        path: path of the file.
        image: the first image.
        more: names and images, in a folder where the name has one (``Region/Position 1``).
        name: name of the first image.
        tables: names of the look-up tables of the channels.
        lacking: number of bytes that are missing from every image.
    """
    images = [(name, image), *more]
    elements, blocks = "", []
    for number, (called, each) in enumerate(images):
        stored = np.ascontiguousarray(each.pixels).astype(each.data.dtype.newbyteorder("<")).tobytes()
        stored = stored[: len(stored) - lacking]
        blocks.append((f"MemBlock_{number}", stored))
        memory = f'<Memory Size="{len(stored)}" MemoryBlockID="MemBlock_{number}"/>'
        *folders, own = called.split("/")
        element = f"<Element Name={quoteattr(own)}><Data>{_lif_image(each, tables)}</Data>{memory}</Element>"
        for folder in reversed(folders):
            element = (
                f"<Element Name={quoteattr(folder)}><Data/><Memory Size='0' MemoryBlockID='F'/>"
                f"<Children>{element}</Children></Element>"
            )
        elements += element
    xml = (
        f'<LMSDataContainerHeader Version="2"><Element Name="{path.stem}"><Data><Experiment/></Data>'
        f'<Memory Size="0" MemoryBlockID="MemBlock_x"/><Children>{elements}</Children></Element>'
        f"</LMSDataContainerHeader>"
    )
    with path.open("wb") as file:
        text = xml.encode("utf-16-le")
        file.write(struct.pack("<IIBI", _MAGIC, len(text) + 5, _STAR, len(text) // 2) + text)
        for identity, stored in blocks:
            text = identity.encode("utf-16-le")
            head = struct.pack("<IIBQBI", _MAGIC, 14 + len(text), _STAR, len(stored), _STAR, len(text) // 2)
            file.write(head + text + stored)


def _lif_image(image: Image, tables: Sequence[str]) -> str:
    sizes, axes, shape = sizes_by_axis(image), image.axes, image.pixels.shape
    strides = dict(zip(axes, np.ascontiguousarray(image.pixels).strides, strict=True))
    count = shape[axes.index("c")] if "c" in axes else 1
    count *= shape[axes.index("r")] if "r" in axes else 1
    kind = int(image.data.dtype.kind == "f")
    step = strides.get("c", strides.get("r", 0))
    channels = ""
    bits = 8 * image.data.dtype.itemsize
    for i in range(count):
        dye = f"<Key>DyeName</Key><Value>{image.channel_names[i]}</Value>" if image.channel_names else ""
        table = tables[i] if tables else "Gray"
        channels += (
            f'<ChannelDescription DataType="{kind}" ChannelTag="0" Resolution="{bits}" '
            f'NameOfMeasuredQuantity="" Min="0" Max="1" Unit="" LUTName="{table}" IsLUTInverted="0" '
            f'BytesInc="{i * step}" BitInc="0"><ChannelProperty>{dye}</ChannelProperty></ChannelDescription>'
        )
    dimensions = ""
    for letter, side in sorted(zip(axes, shape, strict=True), key=lambda pair: strides[pair[0]]):
        if letter in "cr":
            continue
        length, unit = sizes.get(letter, 0.0) * 1e-6 * (side - 1), "m"
        if letter == "t":
            interval = image.time_interval
            length, unit = (interval.value if interval else 0.0) * (side - 1), "s"
        dimensions += (
            f'<DimensionDescription DimID="{_DIMENSIONS[letter]}" NumberOfElements="{side}" Origin="0" '
            f'Length="{length!r}" Unit="{unit}" BitInc="0" BytesInc="{strides[letter]}"/>'
        )
    return (
        f'<Image TextDescription=""><ImageDescription><Channels>{channels}</Channels>'
        f"<Dimensions>{dimensions}</Dimensions></ImageDescription></Image>"
    )


_ND2_CHUNK, _ND2_NAME = 0x0ABECEDA, 4072
_ND2_MAP = b"ND2 CHUNK MAP SIGNATURE 0000001!"


def write_nd2(
    path: Path, image: Image, *, names: Sequence[str] = (), frames: int | None = None, loop: int | None = None
) -> None:
    """Write frames, one after the other in the order of the axes before c, y and x.

    Args:
        path: path of the file.
        image: image with ``c``, ``y`` and ``x`` after all other axes; ``r`` for colours may follow.
        names: names of the positions.
        frames: number of frames to write, None for all.
        loop: type of every loop, to replace the right one.
    """
    axes, shape = image.axes, image.pixels.shape
    sides = dict(zip(axes, shape, strict=True))
    leading = [letter for letter in axes if letter not in "cyxr"]
    count = int(np.prod([sides[letter] for letter in leading], dtype=np.int64))
    channels, colours = sides.get("c", 1), sides.get("r", 1)
    stored = image.pixels.reshape(count, channels, sides["y"], sides["x"], colours).transpose(0, 2, 3, 1, 4)
    if frames is not None:
        stored = stored[:frames]
    bits, size = 8 * image.data.dtype.itemsize, sizes_by_axis(image)
    named = image.channel_names or ("",) * channels
    chunks = [
        ("ImageAttributesLV!", _lite("SLxImageAttributes", _attributes(stored, bits))),
        (
            "ImageMetadataSeqLV|0!",
            _lite(
                "SLxPictureMetadata",
                {
                    "dCalibration": size.get("x", -1.0),
                    "bCalibrated": size.get("x", -1.0) > 0,
                    "sPicturePlanes": {
                        "uiCount": channels,
                        "sPlaneNew": {
                            f"a{i}": {
                                "uiCompCount": colours,
                                "sDescription": name,
                                "pFluorescentProbe": {"uiColor": 0},
                            }
                            for i, name in enumerate(named)
                        },
                    },
                },
            ),
        ),
    ]
    if leading:
        chunks.append(("ImageMetadataLV!", _lite("SLxExperiment", _loops(image, leading, names, loop))))
    chunks += [(f"ImageDataSeq|{i}!", bytes(8) + _bytes(frame)) for i, frame in enumerate(stored)]
    places = {}
    with path.open("wb") as file:
        file.write(struct.pack("<IIQ", _ND2_CHUNK, 32, 64))
        file.write(b"ND2 FILE SIGNATURE CHUNK NAME01!" + b"Ver3.0".ljust(64, b"\0"))
        for name, data in chunks:
            places[name] = (file.tell(), len(data))
            file.write(struct.pack("<IIQ", _ND2_CHUNK, _ND2_NAME, len(data)))
            file.write(name.encode().ljust(_ND2_NAME, b"\0") + data)
        listed = b"".join(name.encode() + struct.pack("<QQ", *place) for name, place in places.items())
        listed += _ND2_MAP + struct.pack("<Q", file.tell())
        file.write(struct.pack("<IIQ", _ND2_CHUNK, 32, len(listed)))
        file.write(b"ND2 FILEMAP SIGNATURE NAME 0001!" + listed)


def _bytes(frame: AnyArray) -> bytes:
    return np.ascontiguousarray(frame).astype(frame.dtype.newbyteorder("<")).tobytes()


def _attributes(stored: AnyArray, bits: int) -> dict[str, Any]:
    count, height, width, channels, colours = stored.shape
    return {
        "uiBpcInMemory": bits,
        "uiBpcSignificant": bits,
        "uiComp": channels * colours,
        "uiHeight": height,
        "uiWidth": width,
        "uiWidthBytes": width * channels * colours * bits // 8,
        "uiSequenceCount": count,
        "eCompression": 2,
    }


def _loops(image: Image, letters: list[str], names: Sequence[str], loop: int | None) -> dict[str, Any]:
    """Return the outermost loop with those inside it."""
    letter, side = letters[0], image.pixels.shape[image.axes.index(letters[0])]
    interval, step = image.time_interval, sizes_by_axis(image).get("z", 0.0)
    period = 1000.0 * interval.value if interval else 0.0
    parameters: dict[str, dict[str, Any]] = {
        "t": {"uiCount": side, "dStart": 0.0, "dPeriod": period, "dDuration": 0.0},
        "z": {"uiCount": side, "dZStep": step, "dZLow": 0.0, "dZHigh": 0.0},
        "s": {"Points": {f"p{i}": {"dPosName": name} for i, name in enumerate(names or [""] * side)}},
    }
    made: dict[str, Any] = {
        "eType": loop or {"t": 1, "s": 2, "z": 4}[letter],
        "uLoopPars": parameters[letter],
    }
    if len(letters) > 1:
        made["ppNextLevelEx"] = {"": _loops(image, letters[1:], names, loop)}
    return made


def _lite(name: str, value: Any) -> bytes:
    """Encode a value in the binary form of NIS-Elements' metadata."""
    head = (name + "\0").encode("utf-16-le")
    length = len(head) // 2
    match value:
        case bool():
            return struct.pack("<BB", 1, length) + head + struct.pack("<B", value)
        case int():
            return struct.pack("<BB", 3, length) + head + struct.pack("<I", value)
        case float():
            return struct.pack("<BB", 6, length) + head + struct.pack("<d", value)
        case str():
            return struct.pack("<BB", 8, length) + head + (value + "\0").encode("utf-16-le")
        case dict():
            inner = [_lite(key, each) for key, each in value.items()]
            whole = 2 + len(head) + 12 + sum(map(len, inner))
            body = struct.pack("<IQ", len(inner), whole) + b"".join(inner) + bytes(8 * len(inner))
            return struct.pack("<BB", 11, length) + head + body
    raise TypeError(type(value))
