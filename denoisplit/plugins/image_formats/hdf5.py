"""Data sets in HDF5 files."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, final

import attrs
import numpy as np

from denoisplit.core.arrays import AnyArray, Window
from denoisplit.core.errors import ImageError
from denoisplit.core.images.axes import AXES, SPATIAL, sizes_by_axis
from denoisplit.core.images.bases import Image, ImageFormat, ImageLayout, ImageWriter
from denoisplit.core.images.chunked import ByChunks
from denoisplit.core.images.image_checks import check_numbers
from denoisplit.core.images.io import split_inside
from denoisplit.core.images.layout import (
    KINDS,
    check_dtype,
    check_layout,
    described,
    remark,
    remark_text,
    settled_axes,
)
from denoisplit.core.images.lazy import LazyPixels, at_hand
from denoisplit.core.images.writing import Put, RegionWriter, copy_pieces
from denoisplit.plugins.image_formats._hdf5_beside import add_beside, has, has_one, require_free_way
from denoisplit.plugins.image_formats._hdf5_child import look
from denoisplit.plugins.image_formats._hdf5_contents import REMARK, SIZE_UM, TAGS
from denoisplit.plugins.image_formats._hdf5_filters import use_installed

_DATA = "data"


@final
class Hdf5(ImageFormat):
    """HDF5: the only data set of a file, or the one named after it (``cells.h5/raw``, ``cells.h5::raw``).

    Axes come from ilastik's ``axistags`` or the labels of the dimensions, pixel sizes from
    ``element_size_um``. Both are written, too.
    """

    @attrs.frozen(kw_only=True)
    class Options:
        """Options of reading.

        Attributes:
            other_files: whether pixels may be in other files (external storage, virtual data sets), wherever
                those are. Set it only for files from people you trust.
        """

        other_files: bool = False

    options: Options
    suffixes = (".hdf5", ".h5")
    holds_several = True
    writes_inside = True

    def open(self, path: Path, *, axes: str | None = None) -> Image:
        """Open a data set; those of 256 MiB and more are read lazily."""
        file, inside = split_inside(path, self.suffixes)
        if not file.is_file():
            raise ImageError(f"{file}: there is no such file. Check the path.")
        found = look(file, inside, path, other_files=self.options.other_files)
        shape, dtype, chunks, said = found.shape, np.dtype(found.dtype), found.chunks, found.said
        check_numbers(dtype, str(path))
        read: Callable[[Window], AnyArray] = partial(_read, file, found.name)
        if chunks:
            read = ByChunks(read, shape, chunks, dtype.itemsize)
        data = LazyPixels(shape=shape, dtype=dtype, read=read, source=str(path))
        known = settled_axes(axes, said, shape, str(path))
        return described(at_hand(data), known, _sized(said, known), str(path), overridden=axes is not None)

    def write(self, path: Path, image: Image) -> None:
        """Write one data set, ``data`` unless the path names another; all or nothing."""
        copy_pieces(image, self.create(path, image.layout))

    def is_taken(self, path: Path) -> bool:
        """Whether the file, or the data set named after it, exists."""
        file, inside = split_inside(path, self.suffixes)
        require_free_way(file, inside)
        return file.exists() and (not inside or not file.is_file() or has(file, inside))

    def may_replace(self, path: Path) -> bool:
        """Whether it is a data set, or a file with nothing but one, so that nothing else would be lost."""
        file, inside = split_inside(path, self.suffixes)
        return file.is_file() and (has(file, inside, image=True) if inside else has_one(file))

    def create(self, path: Path, layout: ImageLayout) -> ImageWriter:
        """Begin a file whose regions are written in place; data sets of an existing file stay."""
        check_layout(layout, str(path))
        check_dtype(layout, str(path), KINDS, "HDF5", "Convert them.")
        file, inside = split_inside(path, self.suffixes)

        @contextmanager
        def begin(temporary: Path) -> Iterator[Put]:
            import h5py

            with h5py.File(temporary, "w") as opened:
                made = opened.create_dataset(inside or _DATA, layout.shape, layout.dtype)
                for dimension, letter in zip(made.dims, layout.axes, strict=True):
                    dimension.label = letter
                made.attrs[TAGS] = _tags(layout)
                made.attrs[REMARK] = remark_text(layout)
                made.attrs.update(_attributes(layout))
                if (size := _in_microns(layout)) is not None:
                    made.attrs[SIZE_UM] = size
                yield made.__setitem__

        beside = inside and file.is_file()
        return RegionWriter(
            file,
            layout,
            stored=layout.axes,
            begin=begin,
            complete=partial(add_beside, name=inside) if beside else None,
            replaceable=lambda _: self.may_replace(path) or (bool(beside) and not self.is_taken(path)),
        )


def _read(file: Path, name: str, region: Window) -> AnyArray:
    import h5py

    use_installed()
    # Opened again for every region: handles must not be shared between processes.
    with h5py.File(file, "r") as opened:
        return np.asarray(opened[name][region])


def _sized(said: dict[str, Any], axes: str) -> dict[str, Any]:
    """Take the pixel size from ``element_size_um``, which is (z) y x whatever the order of the axes."""
    found = said.get(SIZE_UM) or ()
    letters = [letter for letter in axes if letter in SPATIAL]
    own = "pixel_size" in said and said.get("axes") == axes
    if own or not len(letters) <= len(found) <= len(SPATIAL):
        return said
    sizes = dict(zip(SPATIAL[-len(found) :], found, strict=True))
    return said | {"pixel_size": [sizes.get(letter) for letter in letters], "unit": "µm"}


def _attributes(layout: ImageLayout) -> dict[str, Any]:
    """Return the attributes that other programs look for; the remark has everything."""
    made = {key: value for key, value in remark(layout).items() if key not in ("factor", "offset")}
    if "pixel_size" in made:
        made["pixel_size"] = np.array(made["pixel_size"], np.float64)  # NaN for None
    return made


def _in_microns(layout: ImageLayout) -> list[float] | None:
    if layout.pixel_size is None:
        return None
    sizes = sizes_by_axis(layout, "µm")
    if any(letter in layout.axes and letter not in sizes for letter in SPATIAL):
        return None
    return [sizes.get(letter, 1.0) for letter in SPATIAL]


def _tags(layout: ImageLayout) -> str:
    """Return the axis tags of vigra and ilastik."""
    kinds = {"c": 1, "x": 2, "y": 2, "z": 2, "t": 8, "s": 64}
    sizes = sizes_by_axis(layout)
    axes = [
        {"key": a, "typeFlags": kinds[a], "resolution": sizes.get(a, 0), "description": ""}
        for a in layout.axes
        if a in AXES
    ]
    return json.dumps({"axes": axes})
