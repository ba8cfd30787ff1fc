"""OME-Zarr of other programs: every version, plates and collections, broken metadata."""

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import zarr

from denoisplit.testing.image_files.foreign_files import Foreign, counts, image

_PIXELS: Final = counts(2, 16, 20)
_SIZE: Final = (0.3, 0.2, 0.1)
_file: Final = partial(Foreign, name="a.ome.zarr")


def _axes(names: str, unit: str | None = "micrometer") -> list[dict[str, Any]]:
    kinds = {"c": "channel", "t": "time"}
    return [{"name": a, "type": kinds.get(a, "space"), **({} if a == "c" else {"unit": unit})} for a in names]


def _scale(*sizes: Any) -> list[dict[str, Any]]:
    return [{"type": "scale", "scale": list(sizes)}]


def _level(transformations: Any) -> dict[str, Any]:
    return {"datasets": [{"path": "0", "coordinateTransformations": transformations}]}


def _group(
    path: Path, said: Any = None, levels: dict[str, Any] | None = None, more: dict[str, Any] | None = None
) -> Any:
    """Write a group of Zarr 2 with an image of version 0.4, complete unless entries are given."""
    made: Any = zarr.open_group(str(path), mode="w", zarr_format=2)
    for name, pixels in ({"0": _PIXELS} if levels is None else levels).items():
        made.create_array(name, data=pixels, chunks=pixels.shape)
    whole = {"version": "0.4", "axes": _axes("zyx"), **_level(_scale(*_SIZE))}
    made.attrs.update({"multiscales": [whole | (said or {})], **(more or {})})
    return made


def _words() -> Iterator[Foreign]:
    cases: tuple[tuple[dict[str, Any], dict[str, Any], tuple[float | None, ...]], ...] = (
        ({}, {}, _SIZE),
        (_level(None), {}, ()),
        (_level([None, 3, {"type": "scale"}, {"type": "scale", "scale": "0.1"}]), {}, ()),
        (_level([{"type": "translation", "scale": [3, 3, 3]}, *_scale(*_SIZE)]), {}, _SIZE),
        (_level(_scale(0.1, 0.1)), {}, ()),
        (_level(_scale(None, 0.2, 0.1)), {}, (None, 0.2, 0.1)),
        (_level(_scale(0, 0.2, -0.1)), {}, (None, 0.2, None)),
        (_level(_scale("a", 1e-40, 0.1)), {}, (None, None, 0.1)),
        ({"coordinateTransformations": _scale(2, 2, 2)}, {}, (0.6, 0.4, 0.2)),
        ({"axes": [*_axes("z", "nanometer"), *_axes("yx")]}, {}, (0.0003, 0.2, 0.1)),
        ({"axes": [*_axes("z", None), *_axes("yx")]}, {}, (None, 0.2, 0.1)),
        ({"axes": _axes("zyx", "pixel")}, {}, ()),
        ({"axes": ["z", "y", "x"]}, {}, ()),
        ({"version": None}, {"omero": None}, _SIZE),
        ({"version": "0.4.1"}, {"omero": [1]}, _SIZE),
        ({"name": 3, "metadata": None}, {"omero": {"channels": None}}, _SIZE),
        ({}, {"omero": {"channels": [None]}}, _SIZE),
        ({}, {"omero": {"channels": [{"label": None}]}, "denoisplit": [1]}, _SIZE),
    )
    for said, more, size in cases:
        write = partial(_group, said=said, more=more)
        yield _file(what=f"{said} {more}", write=write, image=image(_PIXELS, "zyx", size))
    named = {"channels": [{"label": None}, {"label": "actin"}]}
    write = partial(_group, said={"axes": _axes("cyx")}, more={"omero": named})
    found = image(_PIXELS, "cyx", (0.2, 0.1), names=("channel 0", "actin"))
    yield _file(what="a channel without a label", write=write, image=found)
    five = counts(2, 1, 2, 6, 5)
    write = partial(_group, said={"axes": None, "version": "0.1"} | _level(None), levels={"0": five})
    yield _file(what="the oldest version", write=write, image=image(five, "tczyx"))


def _versions() -> Iterator[Foreign]:
    for version in ("0.6", "0.6-dev1", "1.0", "0.10", "", 6):
        yield _file(what=f"version {version}", write=partial(_group, said={"version": version}))
    for version in ("0.5", "0.6"):
        write = partial(_nested, version=version)
        found = image(_PIXELS, "zyx", _SIZE) if version == "0.5" else None
        yield _file(what=f"version {version} of Zarr 3", write=write, image=found)


def _nested(path: Path, version: str) -> None:
    made: Any = zarr.open_group(str(path), mode="w", zarr_format=3)
    made.create_array("0", data=_PIXELS, chunks=(1, 16, 20))
    made.attrs["ome"] = {
        "version": version,
        "multiscales": [{"axes": _axes("zyx"), **_level(_scale(*_SIZE))}],
    }


def _letters() -> Iterator[Foreign]:
    firsts: tuple[tuple[dict[str, Any], str | None], ...] = (
        ({"name": "Time", "type": "time"}, "t"),
        ({"name": "t"}, "t"),
        ({"name": "wavelength", "type": "channel"}, "c"),
        ({"name": "channels"}, "c"),
        ({"name": "position"}, "s"),
        ({"name": "tile", "type": "space"}, None),
        ({"name": "t", "type": "space"}, None),
        ({"name": None}, None),
        ({"type": "space"}, None),
    )
    for first, letter in firsts:
        write = partial(_group, said={"axes": [first, *_axes("yx")]})
        found = None if letter is None else image(_PIXELS, f"{letter}yx", (0.2, 0.1))
        yield _file(what=f"{first}", write=write, image=found)
    write = partial(_group, said={"axes": [{"name": "tile"}, *_axes("yx")]})
    yield _file(what="given axes", write=write, axes="syx", image=image(_PIXELS, "syx", (0.2, 0.1)))


def _levels() -> Iterator[Foreign]:
    listed = [
        {"path": name, "coordinateTransformations": _scale(0.3, size, size / 2)}
        for name, size in (("small", 0.4), ("full", 0.2))
    ]
    arrays = {"small": _PIXELS[:, ::2, ::2], "full": _PIXELS}
    write = partial(_group, said={"datasets": listed}, levels=arrays)
    yield _file(what="the largest is last", write=write, image=image(_PIXELS, "zyx", _SIZE))
    for paths in (("0", "1"), ("7",), ()):
        write = partial(_group, said={"datasets": [{"path": path} for path in paths]})
        yield _file(what=f"the levels {paths}", write=write)
    yield _file(what="an old summary", write=_outdated, image=image(_PIXELS, "zyx", _SIZE))


def _outdated(path: Path) -> None:
    made = _group(path, levels={})
    zarr.consolidate_metadata(str(path))
    made.create_array("0", data=_PIXELS)


def _plate(path: Path, sizes: Any = (0.1, 0.1), names: Any = ("a", "a"), lost: str = "") -> None:
    made: Any = zarr.open_group(str(path), mode="w", zarr_format=2)
    made.attrs["plate"] = {"version": "0.4", "wells": [{"path": f"A/{number}"} for number in (1, 2, 3)]}
    for well, size, name in zip(("A/1", "A/2"), sizes, names, strict=True):
        made.create_group(well).attrs["well"] = {"version": "0.4", "images": [{"path": "0"}]}
        _group(
            path / well / "0",
            {"axes": _axes("cyx"), **_level(_scale(1, size, size))},
            more={"omero": {"channels": [{"label": name}, {"label": "b"}]}},
        )
    if lost:
        shutil.rmtree(path / lost)


def _collection(path: Path, intervals: tuple[float, ...], letters: str = "tyx") -> None:
    made: Any = zarr.open_group(str(path), mode="w", zarr_format=2)
    made.attrs["bioformats2raw.layout"] = 3
    made.create_group("OME")
    made.create_group("99")
    axes = [{**_axes("t")[0], "unit": "second"}, *_axes("yx")] if letters == "tyx" else _axes(letters)
    for number, interval in enumerate(intervals):
        _group(path / str(number), {"axes": axes, **_level(_scale(interval, 0.2, 0.1))})


def _several() -> Iterator[Foreign]:
    both = image(np.stack([_PIXELS, _PIXELS]), "scyx", (0.1, 0.1), names=("a", "b"))
    one = image(_PIXELS, "cyx", (0.1, 0.1), names=("a", "b"))
    yield _file(what="a plate", write=_plate, image=both)
    for inside in ("A/2/0", "A/2"):
        yield _file(what=f"a well {inside}", write=_plate, inside=inside, image=one)
    yield _file(what="no such well", write=_plate, inside="A/7/0")
    for how in ({"sizes": (0.1, 0.5)}, {"names": ("a", "z")}, {"lost": "A/2/0"}, {"lost": "A"}):
        yield _file(what=f"a plate {how}", write=partial(_plate, **how))
    twice = np.stack([_PIXELS, _PIXELS])
    for intervals, same in (((2.0, 2.0), 2.0), ((2.0, 3.0), None)):
        found = image(twice, "styx", (0.2, 0.1), interval=same)
        write = partial(_collection, intervals=intervals)
        yield _file(what=f"intervals {intervals}", write=write, image=found)
    alone = image(_PIXELS, "tyx", (0.2, 0.1), interval=2.0)
    yield _file(what="a collection of one", write=partial(_collection, intervals=(2.0,)), image=alone)
    write = partial(_collection, intervals=(1.0, 1.0), letters="syx")
    yield _file(what="samples of samples", write=write)
    yield _file(what="an empty collection", write=partial(_collection, intervals=()))


FILES: Final = (*_words(), *_versions(), *_letters(), *_levels(), *_several())
