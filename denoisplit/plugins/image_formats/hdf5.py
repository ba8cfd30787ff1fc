"""Data sets in HDF5 files."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, final

import attrs
import numpy as np

from denoisplit.core.errors import ImageError
from denoisplit.core.images.axes import AXES, SPATIAL, ambiguous_axes, parse_axes, sizes_by_axis
from denoisplit.core.images.checks import check_numbers
from denoisplit.core.images.chunked import ByChunks
from denoisplit.core.images.claims import check_claim
from denoisplit.core.images.interfaces import AnyArray, Image, ImageFormat, ImageLayout, ImageWriter
from denoisplit.core.images.io import split_inside
from denoisplit.core.images.layout import (
    IN_MICRONS,
    axes_of,
    check_dtype,
    check_layout,
    described,
    parse_remark,
    remark,
    remark_text,
)
from denoisplit.core.images.lazy import LazyPixels, Region, at_hand, unreadable
from denoisplit.core.images.writing import Put, RegionWriter, copy_pieces

_DATA, _REMARK = "data", "denoisplit"
_LABELS, _TAGS, _SIZE_UM = "DIMENSION_LABELS", "axistags", "element_size_um"
_KINDS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64")


@final
class Hdf5(ImageFormat):
    """HDF5: the only data set of a file, or the one named behind it (``cells.h5/raw``, ``cells.h5::raw``).

    Axes come from ilastik's ``axistags`` or the labels of the dimensions, pixel sizes from
    ``element_size_um``. Both are written, too.
    """

    @attrs.frozen(kw_only=True)
    class Options:
        """Nothing to choose."""

    suffixes = (".hdf5", ".h5")
    holds_several = True

    def __init__(self, options: Options) -> None:
        self.options = options

    def open(self, path: Path, *, axes: str | None = None) -> Image:
        """Open a data set; those of 256 MiB and more are read where they are asked for.

        Raises:
            ImageError: missing, truncated or unreadable file, several data sets, or unknown axes.
        """
        import h5py

        file, inside = split_inside(path, self.suffixes)
        if not file.is_file():
            raise ImageError(f"{file}: there is no such file. Check the path.")
        try:
            with h5py.File(file, "r") as opened:
                name = _only(opened, inside, path)
                found = opened[name]
                shape, dtype = tuple(int(side) for side in found.shape), found.dtype
                chunks, said = found.chunks, _said(found)
                for sides in (shape, chunks or shape):
                    check_claim(sides, dtype.itemsize, found.id.get_storage_size(), str(path))
        except ImageError:
            raise
        except Exception as error:
            raise unreadable(str(path), error, "HDF5") from error
        check_numbers(dtype, str(path))
        read: Callable[[Region], AnyArray] = partial(_read, file, name)
        if chunks:
            read = ByChunks(read, shape, chunks, dtype.itemsize)
        data = LazyPixels(shape=shape, dtype=dtype, read=read, source=str(path))
        if axes is not None:
            known = parse_axes(axes, shape, str(path))
        else:
            noted = axes_of(said, len(shape)) or ("yx" if len(shape) == 2 else None)
            if noted is None:
                raise ambiguous_axes(shape, str(path))
            known = noted
        return described(at_hand(data), known, _sized(said, known), str(path), overridden=axes is not None)

    def write(self, path: Path, image: Image) -> None:
        """Write one data set, ``data`` unless the path names another; the file appears whole or not at all.

        Raises:
            ImageError: pixels that are no numbers, or no space.
        """
        copy_pieces(image, self.create(path, image.layout))

    def create(self, path: Path, layout: ImageLayout) -> ImageWriter:
        """Begin a file whose regions are written in their place."""
        check_layout(layout, str(path))
        check_dtype(layout, str(path), _KINDS, "HDF5", "Convert them.")
        file, inside = split_inside(path, self.suffixes)

        @contextmanager
        def begin(temporary: Path) -> Iterator[Put]:
            import h5py

            with h5py.File(temporary, "w") as opened:
                made = opened.create_dataset(inside or _DATA, layout.shape, layout.dtype)
                for dimension, letter in zip(made.dims, layout.axes, strict=True):
                    dimension.label = letter
                made.attrs[_TAGS] = _tags(layout)
                made.attrs[_REMARK] = remark_text(layout)
                made.attrs.update({k: v for k, v in remark(layout).items() if k not in ("factor", "offset")})
                if (size := _in_microns(layout)) is not None:
                    made.attrs[_SIZE_UM] = size
                yield made.__setitem__

        return RegionWriter(file, layout, stored=layout.axes, begin=begin)


def _read(file: Path, name: str, region: Region) -> AnyArray:
    import h5py

    # Opened for every region anew: handles must not be shared between processes.
    with h5py.File(file, "r") as opened:
        return np.asarray(opened[name][region])


def _only(opened: Any, inside: str, path: Path) -> str:
    """The name of the image: the one asked for, or the only one that is there."""
    import h5py

    names: list[str] = []

    def visit(name: str, node: Any) -> None:
        if isinstance(node, h5py.Dataset) and len(node.shape or ()) >= 2:
            names.append(name)

    opened.visititems(visit)
    if inside in names:
        return inside
    below = [name for name in names if not inside or name.startswith(f"{inside}/")]
    if len(below) == 1:
        return below[0]
    listed = ", ".join((below or names)[:9]) or "none"
    what = f"there is no image {inside!r}" if inside and not below else "expected one image per file"
    example = (below or names or ["data"])[0]
    raise ImageError(
        f"{path}: {what} (got the data sets {listed}). Name one behind the file, for example "
        f"{path.name.partition('::')[0] if not inside else 'file.h5'}::{example}."
    )


def _said(found: Any) -> dict[str, Any]:
    """What the attributes of a data set tell, in the words of our remark."""
    said: dict[str, Any] = {}
    attributes = found.attrs
    labels = "".join(str(dimension.label) for dimension in found.dims)
    if labels:
        said["axes"] = labels
    if _TAGS in attributes:
        tags = parse_remark(_text(attributes[_TAGS]))
        said["axes"] = "".join(str(axis.get("key", "?")) for axis in tags.get("axes", ()))
    if _SIZE_UM in attributes:
        said["element_size_um"] = [float(size) for size in np.ravel(attributes[_SIZE_UM])]
    return said | parse_remark(_text(attributes.get(_REMARK, "")))


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _sized(said: dict[str, Any], axes: str) -> dict[str, Any]:
    """Pixel size from ``element_size_um``, which is z, y, x whatever the order of the axes."""
    sizes = dict(zip("zyx", said.get("element_size_um", ()), strict=False))
    letters = [letter for letter in axes if letter in SPATIAL]
    if len(sizes) != len(SPATIAL) or ("pixel_size" in said and said.get("axes") == axes):
        return said
    return said | {"pixel_size": [sizes[letter] for letter in letters], "unit": "µm"}


def _in_microns(layout: ImageLayout) -> list[float] | None:
    if layout.pixel_size is None or layout.pixel_size.unit not in IN_MICRONS:
        return None
    sizes, unit = sizes_by_axis(layout), IN_MICRONS[layout.pixel_size.unit]
    return [sizes.get(letter, 1.0 / unit) * unit for letter in SPATIAL]


def _tags(layout: ImageLayout) -> str:
    """Axis tags of vigra and ilastik."""
    kinds = {"c": 1, "x": 2, "y": 2, "z": 2, "t": 8, "s": 64}
    sizes = sizes_by_axis(layout)
    axes = [
        {"key": a, "typeFlags": kinds[a], "resolution": sizes.get(a, 0), "description": ""}
        for a in layout.axes
        if a in AXES
    ]
    return json.dumps({"axes": axes})
