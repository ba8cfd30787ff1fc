"""Checks with zarr of what denoisplit writes as OME-Zarr and as plain arrays."""

from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import zarr

from denoisplit.core.images.axes import sizes_by_axis
from denoisplit.core.images.bases import Image
from denoisplit.testing.image_files.written_files import (
    WRITTEN,
    Reader,
    assert_found,
    assert_means,
    drawn,
    halved,
)

_KINDS: Final = {"t": "time", "c": "channel"}
_UNITS: Final = {"t": "second", "c": None}


def zarr_array(path: Path, image: Image) -> None:
    """Check a plain array."""
    array: Any = zarr.open_array(str(path), mode="r")
    assert_found(array[...], image.pixels, "pixels")
    assert_found(array.metadata.dimension_names, list(image.axes), "dimensions")
    assert_found(array.attrs["channel_names"], image.channel_names, "names")
    _whole(array)


def _whole(array: Any) -> None:
    """Check that every chunk is there, also those of zeros, so that a missing one is a missing one."""
    stored = array.shards or array.chunks
    files = int(np.prod([-(-side // step) for side, step in zip(array.shape, stored, strict=True)]))
    found = sum(1 for file in Path(array.store.root, array.path).rglob("*") if _is_chunk(file))
    assert found == files, f"{found} of {files} chunks are stored"


def _is_chunk(file: Path) -> bool:
    return file.is_file() and not file.name.startswith(".") and file.name != "zarr.json"


def _ome_zarr(
    path: Path,
    image: Image,
    version: str,
    scales: tuple[tuple[int, int], ...],
    chunk: int,
    shard: int,
) -> None:
    """Check an image; ``scales`` are the sides y and x of all its scales."""
    group: Any = zarr.open_group(str(path), mode="r")
    assert group.metadata.zarr_format == (2 if version == "0.4" else 3), "it is another version of Zarr"
    attributes: Any = dict(group.attrs)
    assert ("ome" in attributes) == (version != "0.4"), "the metadata is in the place of another version"
    said = attributes.get("ome", attributes)
    (multiscale,) = said["multiscales"]
    assert (said if version != "0.4" else multiscale)["version"] == version, "another version is said"
    _axes(multiscale["axes"], image)
    level = image.pixels.astype(np.float64)
    assert len(multiscale["datasets"]) == len(scales), f"there are {len(multiscale['datasets'])} scales"
    for number, (dataset, sides) in enumerate(zip(multiscale["datasets"], scales, strict=True)):
        array: Any = group[dataset["path"]]
        assert array.shape == (*image.pixels.shape[:-2], *sides), (
            f"scale {number} has the shape {array.shape}"
        )
        if number:
            assert_means(array[...], level)
        else:
            assert_found(array[...], image.pixels, "pixels")
        _moved(dataset["coordinateTransformations"], image, number)
        _stored(array, image, version, chunk, shard)
        level = halved(array[...])
    assert multiscale.get("type") == ("mean" if len(scales) > 1 else None), (
        "smaller scales are made otherwise"
    )
    if not image.channel_names:
        return
    channels = said["omero"]["channels"]
    assert_found([channel["label"] for channel in channels], image.channel_names, "names")
    for channel, pixels in zip(channels, np.moveaxis(image.pixels, image.axes.index("c"), 0), strict=True):
        low, high = float(pixels.min()), float(pixels.max())
        high = high if low < high else low + 1
        window = {"start": low, "end": high, "min": low, "max": high}
        assert channel["window"] == window, "a channel is not shown in its own range"
    assert all(channel["active"] for channel in channels), "a channel is not shown"


def _axes(axes: Any, image: Image) -> None:
    assert [axis["name"] for axis in axes] == list(image.axes), "other axes are found"
    known = sizes_by_axis(image)
    for axis in axes:
        letter = axis["name"]
        assert axis["type"] == _KINDS.get(letter, "space"), f"{letter} is an axis of {axis['type']}"
        given = image.time_interval if letter == "t" else known.get(letter)
        unit = _UNITS.get(letter, "micrometer") if given else None
        assert axis.get("unit") == unit, f"{letter} has the unit {axis.get('unit')}"


def _moved(moves: Any, image: Image, number: int) -> None:
    """Check the size of the pixels of a scale, and the place of the first of them."""
    known = sizes_by_axis(image)
    interval = image.time_interval.value if image.time_interval else 1.0
    size = np.array([interval if a == "t" else known.get(a, 1.0) for a in image.axes])
    step = size * [2**number if a in "yx" else 1 for a in image.axes]
    assert np.allclose(moves[0]["scale"], step), f"scale {number} has pixels of {moves[0]['scale']}"
    assert len(moves) == (2 if number else 1), f"scale {number} is moved {len(moves)} times"
    if number:
        shift = moves[1]["translation"]
        assert np.allclose(shift, (step - size) / 2), f"scale {number} is shifted by {shift}"


def _stored(array: Any, image: Image, version: str, chunk: int, shard: int) -> None:
    """Check chunks: a plane each, cut into squares, several of which share a file from version 0.5 on."""
    *leading, _, _ = (1 for _ in array.shape)
    sides = tuple(min(chunk, side) for side in array.shape[-2:])
    assert array.chunks == (*leading, *sides), f"chunks {array.chunks}"
    together = tuple(
        min(shard, -(-side // step)) * step for side, step in zip(array.shape[-2:], sides, strict=True)
    )
    alone = version == "0.4" or together == sides
    assert array.shards == (None if alone else (*leading, *together)), f"shards {array.shards}"
    if version == "0.4":
        assert array.metadata.dimension_separator == "/", "chunks have other names"
    else:
        assert_found(array.metadata.dimension_names, list(image.axes), "dimensions")
    _whole(array)


def _reader(
    image: Image, version: str, scales: tuple[tuple[int, int], ...], *, chunk: int = 256, shard: int = 4
) -> Reader:
    check = partial(_ome_zarr, version=version, scales=scales, chunk=chunk, shard=shard)
    options = {"version": version, "chunk": chunk, "shard": shard}
    return Reader(suffix=".ome.zarr", image=image, options=options, check=check)


def _dark(image: Image) -> Image:
    """Make a part of an image black."""
    image.pixels[..., :64, :64] = 0
    return image


_CHANNELS: Final[dict[str, Any]] = {"size": (0.2, 0.1), "channel_names": ("a", "b")}

OME_ZARR: Final = (
    _reader(WRITTEN, "0.5", ((9, 8),)),
    _reader(WRITTEN, "0.4", ((9, 8),)),
    _reader(drawn((2, 37, 2100), "cyx", **_CHANNELS), "0.4", ((37, 2100), (18, 1050), (9, 525), (4, 262))),
    _reader(
        _dark(drawn((2, 140, 530), "cyx", **_CHANNELS)), "0.5", ((140, 530), (70, 265)), chunk=32, shard=2
    ),
    _reader(drawn((2, 70, 40), "cyx", "float32", **_CHANNELS), "0.5", ((70, 40),), chunk=32, shard=8),
    _reader(drawn((2, 20, 30), "cyx", **_CHANNELS), "0.5", ((20, 30),), shard=1),
    _reader(drawn((1, 2, 1100), "tyx", "float32"), "0.5", ((2, 1100), (1, 550))),
    _reader(drawn((1, 600, 9), "tyx"), "0.5", ((600, 9), (300, 4)), chunk=300, shard=1),
    _reader(drawn((520, 5, 4), "tyx", "uint8"), "0.4", ((5, 4),)),
)
ZARR: Final = (Reader(suffix=".zarr", image=WRITTEN, check=zarr_array),)
