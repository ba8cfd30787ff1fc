"""Plain TIFF files and ImageJ hyperstacks."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, final

import attrs
import tifffile

from denoisplit.core.images.axes import sizes_by_axis
from denoisplit.core.images.bases import Image, ImageFormat, ImageLayout, ImageWriter
from denoisplit.core.images.layout import channel_count, check_dtype, check_name, remark_text
from denoisplit.core.images.writing import Put, RegionWriter, copy_pieces, raw_file
from denoisplit.plugins.image_formats._tiff_metadata import escaped, imagej_time, read_tiff, stored_axes
from denoisplit.plugins.image_formats._tiff_pages import NOTE, REMARK, first_of_set

_KINDS = ("uint8", "uint16", "float32")
_FINEST = 1e-6
"""The smallest resolution that a ratio of two 32-bit numbers represents well."""

_MOST_BYTES = 2**32 - 2**20


@final
class Tiff(ImageFormat):
    """TIFF as ImageJ, Fiji, MetaMorph and most cameras write it. Our files open in ImageJ as hyperstacks.

    Above 4 GiB, where ImageJ's format ends, the file is a plain BigTIFF with the same description.
    """

    @attrs.frozen(kw_only=True)
    class Options:
        """The format has no options."""

    suffixes = (".tiff", ".tif", ".lsm", ".stk")
    read_only = (".lsm", ".stk")

    def __init__(self, options: Options) -> None:
        self.options = options

    def open(self, path: Path, *, axes: str | None = None) -> Image:
        """Read the image of a file; ``axes`` overrides what the file says.

        Images of 256 MiB and more are read lazily.

        Raises:
            ImageError: missing, truncated or unreadable file, no intensities, or unknown axes.
        """
        return read_tiff(path, axes)

    def first_of_set(self, path: Path) -> Path:
        """Return the file with the first plane of an OME-TIFF in several files."""
        return first_of_set(path)

    def write(self, path: Path, image: Image) -> None:
        """Write a hyperstack with axes, pixel size, unit, time interval and channel labels; all or nothing.

        Raises:
            ImageError: pixels that ImageJ cannot hold (only uint8, uint16, float32), or no space.
        """
        copy_pieces(image, self.create(path, image.layout))

    def create(self, path: Path, layout: ImageLayout) -> ImageWriter:
        """Begin a hyperstack whose regions are written into the file itself."""
        check_name(path, self.read_only, self.suffixes)
        stored = stored_axes(layout, path)
        check_dtype(layout, str(path), _KINDS, "ImageJ", "Convert them, or write .ome.tif.")

        @contextmanager
        def begin(temporary: Path) -> Iterator[Put]:
            sides = dict(zip(layout.axes, layout.shape, strict=True))
            shape = tuple(sides[letter] for letter in stored)
            offset = _reserve(temporary, layout, stored.replace("s", "t"), shape)
            with raw_file(temporary, shape, layout.dtype, offset) as put:
                yield put

        return RegionWriter(path, layout, stored=stored, begin=begin)


def _reserve(path: Path, layout: ImageLayout, axes: str, shape: tuple[int, ...]) -> int:
    """Write everything but the pixels, and return the position of the first of them."""
    imagej = math.prod(shape) * layout.dtype.itemsize <= _MOST_BYTES
    # With an axis for samples, or tifffile takes a width of 1 for one.
    metadata: dict[str, Any] = {"axes": f"{axes.upper()}S" if imagej else axes.upper()}
    metadata |= {NOTE: layout.axes, REMARK: remark_text(layout)}
    channels = channel_count(layout.axes, layout.shape)
    if layout.channel_names:
        planes = math.prod(shape[:-2])
        metadata["Labels"] = list(layout.channel_names) * (planes // channels)
    if channels > 1:
        metadata["mode"] = "composite"
    resolution = None
    if layout.pixel_size is not None:
        size = sizes_by_axis(layout)
        resolution = (_resolution(size.get("x")), _resolution(size.get("y")))
        metadata["unit"] = escaped(layout.pixel_size.unit)
        metadata |= {"spacing": size["z"]} if "z" in size else {}
    metadata |= imagej_time(layout.time_interval)
    place = tifffile.imwrite(
        path,
        shape=(*shape, 1) if imagej else shape,
        dtype=layout.dtype,
        imagej=imagej,
        bigtiff=not imagej,
        photometric="minisblack",
        metadata=metadata,
        resolution=resolution,
        byteorder="<" if imagej else None,
        returnoffset=True,
    )
    assert place is not None  # noqa: S101
    return int(place[0])


def _resolution(size: float | None) -> float:
    """Return pixels per unit; 0, meaning none, where the ratio of a TIFF tag cannot represent them."""
    return 1 / size if size is not None and _FINEST <= size <= 1 / _FINEST else 0.0
