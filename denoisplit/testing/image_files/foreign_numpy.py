"""NumPy arrays of other programs: orders of bytes and axes, archives with several arrays, objects."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from denoisplit.testing.image_files.foreign_files import Foreign, counts, image

_PIXELS: Final = counts(3, 6, 5)


def _plain(path: Path, array: Any, kept: float = 1.0) -> None:
    np.save(path, array)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])


def _zipped(path: Path, compressed: bool = False, **arrays: Any) -> None:
    (np.savez_compressed if compressed else np.savez)(path, **arrays)


def _arrays() -> Iterator[Foreign]:
    for kind in ("<u2", ">u2", "<f8", ">f4", "i1"):
        for order in ("C", "F"):
            array = np.asarray(_PIXELS.astype(kind) % 100, order=order)
            write = partial(_plain, array=array)
            found = image(np.ascontiguousarray(array), "zyx")
            yield Foreign(what=f"{kind} {order}", name="a.npy", write=write, axes="zyx", image=found)
    write = partial(_plain, array=_PIXELS)
    yield Foreign(what="an unknown sort", name="a.npy", write=write)
    yield Foreign(
        what="a plane", name="a.npy", write=partial(_plain, array=_PIXELS[0]), image=image(_PIXELS[0], "yx")
    )
    for what, array in (
        ("no axes", np.array(3.0)),
        ("no pixels", np.zeros((0, 4))),
        ("objects", np.array([[{}]])),
        ("complex numbers", np.zeros((4, 4), complex)),
    ):
        yield Foreign(what=what, name="a.npy", write=partial(_plain, array=array), axes="yx")
    for kept in (0.99, 0.7, 0.1):
        write = partial(_plain, array=_PIXELS, kept=kept)
        yield Foreign(what=f"{kept:.0%}", name="a.npy", write=write, axes="zyx")


def _archives() -> Iterator[Foreign]:
    whole = image(_PIXELS, "zyx")
    plane = image(_PIXELS[0], "yx")
    for compressed in (False, True):
        several: tuple[dict[str, Any], ...] = (
            {"arr_0": _PIXELS},
            {"data": _PIXELS, "more": _PIXELS + 1},
            {"less": _PIXELS[0], "data": _PIXELS},
        )
        for arrays in several:
            write = partial(_zipped, compressed=compressed, **arrays)
            yield Foreign(what=f"{list(arrays)}", name="a.npz", write=write, axes="zyx", image=whole)
            yield Foreign(what=f"{list(arrays)}", name="a.npz", write=write)
    said = {"any": _PIXELS[0], "denoisplit": np.str_('{"axes": "yx"}')}
    yield Foreign(what="words", name="a.npz", write=partial(_zipped, **said), image=plane)
    two = partial(_zipped, one=_PIXELS[0], two=_PIXELS[1])
    yield Foreign(what="two arrays", name="a.npz", write=two)
    objects = partial(_zipped, data=np.array([{"a": 1}, None], dtype=object))
    yield Foreign(what="objects", name="a.npz", write=objects)
    yield Foreign(what="nothing", name="a.npz", write=_zipped)


FILES: Final = (*_arrays(), *_archives())
