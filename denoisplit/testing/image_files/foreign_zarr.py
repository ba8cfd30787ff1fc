"""Zarr arrays of other programs: names of dimensions, codecs, arrays in groups, truncated chunks."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import zarr
from zarr.codecs import BloscCodec, GzipCodec, ZstdCodec

from denoisplit.testing.image_files.foreign_files import Foreign, counts, image

_PIXELS: Final = counts(2, 16, 20)
_file: Final = partial(Foreign, name="a.zarr")


def _array(path: Path, attributes: dict[str, Any] | None = None, kept: float = 1.0, **how: Any) -> None:
    """Write an array; only a part of its largest file is kept."""
    made: Any = zarr.create_array(str(path), data=_PIXELS, **({"chunks": (1, 16, 20)} | how))
    made.attrs.update(attributes or {})
    if kept < 1:
        files = [file for file in path.rglob("*") if file.is_file() and file.name[0] != "."]
        largest = max(files, key=lambda file: file.stat().st_size)
        whole = largest.read_bytes()
        largest.write_bytes(whole[: int(kept * len(whole))])


def _names() -> Iterator[Foreign]:
    for name, letter in (("time", "t"), ("tile", None), ("cell", None), ("channel", "c")):
        found = None if letter is None else image(_PIXELS, f"{letter}yx")
        write = partial(_array, dimension_names=[name, "y", "x"])
        yield _file(what=f"the dimension {name}", write=write, image=found)
    said: tuple[tuple[dict[str, Any], Any], ...] = (
        ({"_ARRAY_DIMENSIONS": ["z", "y", "x"]}, image(_PIXELS, "zyx")),
        ({"axes": "tyx", "denoisplit": 3}, image(_PIXELS, "tyx")),
        ({"axes": "tyx", "pixel_size": [0.2, 0.1], "unit": "µm"}, image(_PIXELS, "tyx", (0.2, 0.1))),
        ({"_ARRAY_DIMENSIONS": 3}, None),
        ({}, None),
    )
    for attributes, found in said:
        write = partial(_array, attributes=attributes, zarr_format=2)
        yield _file(what=f"{attributes}", write=write, image=found)


def _codecs() -> Iterator[Foreign]:
    storing: tuple[dict[str, Any], ...] = (
        {"compressors": None, "zarr_format": 2},
        {"zarr_format": 2},
        {"compressors": BloscCodec(cname="lz4"), "zarr_format": 3},
        {"compressors": ZstdCodec(), "zarr_format": 3},
        {"compressors": GzipCodec(), "zarr_format": 3},
        {"compressors": None, "zarr_format": 3},
        {"compressors": BloscCodec(), "zarr_format": 3, "shards": (2, 16, 20)},
        {"chunks": (2, 5, 7), "zarr_format": 3},
    )
    for how in storing:
        write = partial(_array, **how)
        yield _file(what=f"{how}", write=write, axes="zyx", image=image(_PIXELS, "zyx"))
    blosc = {"compressors": BloscCodec(cname="lz4"), "zarr_format": 3}
    for how in (blosc, storing[6], storing[3]):
        for kept in (0.99, 0.5, 0.02, 0.0):
            yield _file(what=f"{kept:.0%} of a chunk", write=partial(_array, kept=kept, **how), axes="zyx")


def _group(path: Path, arrays: tuple[str, ...], deep: bool = False) -> None:
    made: Any = zarr.open_group(str(path), mode="w", zarr_format=2)
    inner = made.create_group("inner") if deep else made
    for number, name in enumerate(arrays):
        array = inner.create_array(name, data=_PIXELS + number)
        array.attrs["_ARRAY_DIMENSIONS"] = ["z", "y", "x"]
    made.create_array("table", data=_PIXELS[0, 0])


def _plane(path: Path) -> None:
    made: Any = zarr.open_group(str(path), mode="w", zarr_format=2)
    made.create_array("raw", data=_PIXELS[0]).attrs["_ARRAY_DIMENSIONS"] = ["y", "x"]
    made.create_array("table", data=_PIXELS[0, 0])


def _groups() -> Iterator[Foreign]:
    yield _file(what="a plane beside a table", write=_plane, image=image(_PIXELS[0], "yx"))
    two = partial(_group, arrays=("other", "raw"))
    yield _file(what="two arrays", write=two)
    yield _file(what="one of two", write=two, inside="raw", image=image(_PIXELS + 1, "zyx"))
    yield _file(what="none of two", write=two, inside="more")
    for deep in (False, True):
        one = partial(_group, arrays=("raw",), deep=deep)
        yield _file(what="one array", write=one, image=image(_PIXELS, "zyx"))
    yield _file(what="no array", write=partial(_group, arrays=()))
    below = partial(_group, arrays=("raw",), deep=True)
    yield _file(what="a group", write=below, inside="inner", image=image(_PIXELS, "zyx"))
    yield _file(what="a folder", write=lambda path: path.mkdir())


FILES: Final = (*_names(), *_codecs(), *_groups())
