"""HDF5 of other programs: links, attributes, and other data sets beside the image."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np

from denoisplit.testing.image_files.foreign_files import Foreign, counts, image

_file: Final = partial(Foreign, name="a.h5")
_STACK: Final = counts(3, 6, 8)
_PLANE: Final = _STACK[0]
_TAGS: Final = '{"axes": ["z", "y", "x"]}'


def _linked(path: Path) -> None:
    with h5py.File(path.parent / "beside.h5", "w") as file:
        file["far"] = _PLANE + 9
    with h5py.File(path, "w") as file:
        file["group/pixels"] = _PLANE
        file["second"] = file["group/pixels"]
        file["alias"] = h5py.SoftLink("/group/pixels")
        file["folder"] = h5py.SoftLink("/group")
        file["round"] = h5py.SoftLink("/round")
        file["group/up"] = h5py.SoftLink("/")
        file["group/back"] = h5py.SoftLink("pixels")
        file["lost"] = h5py.SoftLink("/nowhere")


def _beside(path: Path, link: str) -> None:
    _linked(path)
    with h5py.File(path, "a") as file:
        file["beside"] = h5py.ExternalLink(link, "far")


def _links() -> Iterator[Foreign]:
    names = ("second", "group/pixels", "alias", "folder/pixels", "group/up/second", "group/back", "")
    for name in names:
        yield _file(what=f"the name {name}", write=_linked, inside=name, image=image(_PLANE, "yx"))
    for name in ("lost", "round", "group/none", "group/pixels/more"):
        yield _file(what=f"the name {name}", write=_linked, inside=name)
    found = image(_PLANE + 9, "yx")
    yield _file(
        what="a link to a file beside it",
        write=partial(_beside, link="beside.h5"),
        inside="beside",
        image=found,
    )
    for link in ("../other.h5", "missing.h5"):
        yield _file(what=f"a link to {link}", write=partial(_beside, link=link), inside="beside")


def _saved(path: Path, pixels: Any = _STACK, how: dict[str, Any] | None = None, **attributes: Any) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=pixels, **(how or {}))
        file["data"].attrs.update(attributes)


def _words() -> Iterator[Foreign]:
    sizes: tuple[tuple[Any, tuple[float | None, ...]], ...] = (
        ([0.3, 0.2, 0.1], (0.3, 0.2, 0.1)),
        ([0, 0.2, 0.1], (None, 0.2, 0.1)),
        ([np.nan, 0.2, -1], (None, 0.2, None)),
        (["a", "0.2", "0.1"], (None, 0.2, 0.1)),
        ([0.2, 0.1], ()),
        ([0.4, 0.3, 0.2, 0.1], ()),
        ("1,2,3", ()),
        (7, ()),
    )
    for said, size in sizes:
        write = partial(_saved, axistags=_TAGS, element_size_um=said)
        yield _file(what=f"sizes {said}", write=write, image=image(_STACK, "zyx", size))
    for said, size in (([0.2, 0.1], (0.2, 0.1)), ([0.3, 0.2, 0.1], (0.2, 0.1))):
        write = partial(_saved, pixels=_PLANE, element_size_um=said)
        yield _file(what=f"sizes {said}", write=write, image=image(_PLANE, "yx", size))
    axes: tuple[tuple[dict[str, Any], str | None], ...] = (
        ({"axistags": _TAGS}, "zyx"),
        ({"axistags": '{"axes": [{"key": "time"}, {"key": "y"}, {"key": "x"}]}'}, "tyx"),
        ({"DIMENSION_LABELS": ["channel", "y", "x"]}, "cyx"),
        ({"DIMENSION_LABELS": ["c", "y", "x"], "axistags": _TAGS}, "zyx"),
        ({"DIMENSION_LABELS": ["tile", "y", "x"]}, None),
        ({"axistags": '{"axes": [null, {"key": "y"}, {"key": "x"}]}'}, None),
        ({"axistags": "{"}, None),
        ({}, None),
    )
    for attributes, letters in axes:
        found = None if letters is None else image(_STACK, letters)
        yield _file(what=f"{attributes}", write=partial(_saved, **attributes), image=found)
        write = partial(_saved, **attributes)
        yield _file(what=f"{attributes}", write=write, axes="tyx", image=image(_STACK, "tyx"))
    broken: dict[str, Any] = {
        "axistags": '{"axes": [1, "x"]}',
        "element_size_um": "large",
        "DIMENSION_LABELS": [3.5, np.nan],
    }
    write = partial(_saved, pixels=_PLANE, denoisplit=np.arange(3), **broken)
    yield _file(what="broken attributes", write=write, image=image(_PLANE, "yx"))


def _tables(path: Path, more: bool) -> None:
    _saved(path, _PLANE)
    with h5py.File(path, "a") as file:
        file["a/table"] = np.zeros(9)
        if more:
            file["a/words"] = np.array([[b"a"] * 90] * 90)


def _elsewhere(path: Path, virtual: bool) -> None:
    (path.parent / "secret.raw").write_bytes(_PLANE.tobytes())
    _saved(path.parent / "far.h5", _PLANE)
    with h5py.File(path, "w") as file:
        if virtual:
            layout = h5py.VirtualLayout(_PLANE.shape, "u2")
            layout[:] = h5py.VirtualSource(str(path.parent / "far.h5"), "data", _PLANE.shape)
            file.create_virtual_dataset("data", layout)
        else:
            place = [(str(path.parent / "secret.raw"), 0, _PLANE.nbytes)]
            file.create_dataset("data", _PLANE.shape, "u2", external=place)


def filtered(path: Path, code: int) -> None:
    """Write a file whose only chunk went through the filter with this number."""
    with h5py.File(path, "w") as file:
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_chunk((6, 8))
        properties.set_filter(code, h5py.h5z.FLAG_OPTIONAL, ())
        space = h5py.h5s.create_simple((6, 8))
        made = h5py.h5d.create(file.id, b"data", h5py.h5t.STD_U16LE, space, properties)
        made.write_direct_chunk((0, 0), b"compressed")


def _storage() -> Iterator[Foreign]:
    yield _file(what="a list", write=partial(_tables, more=False), image=image(_PLANE, "yx"))
    two = partial(_tables, more=True)
    yield _file(what="a table", write=two)
    yield _file(what="a table", write=two, inside="data", image=image(_PLANE, "yx"))
    yield _file(what="a table", write=two, inside="b")
    yield _file(what="a table", write=two, inside="a/words")
    yield _file(what="a line", write=partial(_saved, pixels=_PLANE[0]))
    for virtual in (True, False):
        write = partial(_elsewhere, virtual=virtual)
        yield _file(what=f"pixels elsewhere, {virtual}", write=write)
    yield _file(what="an unknown filter", write=partial(filtered, code=40000))
    storing: tuple[dict[str, Any], ...] = (
        {"chunks": (2, 3)},
        {"chunks": (4, 5), "compression": "gzip", "shuffle": True},
        {"compression": "lzf"},
    )
    for how in storing:
        yield _file(what=f"{how}", write=partial(_saved, pixels=_PLANE, how=how), image=image(_PLANE, "yx"))


FILES: Final = (*_links(), *_words(), *_storage())
