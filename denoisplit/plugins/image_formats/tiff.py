"""Plain TIFF files and ImageJ hyperstacks."""

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import final

import tifffile

from denoisplit.core.images.bases import Image, ImageLayout, ImageWriter
from denoisplit.core.images.layout import check_dtype, check_name
from denoisplit.core.images.writing import Put, RegionWriter, copy_pieces, raw_file
from denoisplit.core.validators import NoOptions
from denoisplit.plugins.image_formats._imagej_header import begin_hyperstack, plain_words, resolution
from denoisplit.plugins.image_formats._tiff_metadata import TiffFormat, stored_axes
from denoisplit.plugins.image_formats._tiff_pixels import first_pixel

_KINDS = ("uint8", "uint16", "float32")

_MOST_BYTES = 2**32 - 2**20
"""Largest TIFF, whose positions have 32 bits."""

_ENTRY = 512
"""Bytes of a page in the list of pages, and more."""

_LOG = logging.getLogger("denoisplit.prediction")

_LARGE = (
    "%s: takes more than 4 GiB, so it lists its first plane only, as large files of ImageJ do. ImageJ, Fiji, "
    "Bio-Formats and tifffile find all planes; for other programs, write .ome.tif"
)
_HUGE = (
    "%s: one plane takes more than 4 GiB, which ImageJ cannot open. The file is a BigTIFF; for Fiji, write "
    ".ome.zarr or smaller planes"
)


@final
class Tiff(TiffFormat):
    """TIFF as ImageJ, Fiji, MetaMorph and most cameras write it. Our files open in ImageJ as hyperstacks.

    Above 4 GiB, they are what ImageJ writes itself: a list of pages with the first plane alone, and all
    planes one after the other. If a single plane is larger, the file is a plain BigTIFF, described alike.
    """

    Options = NoOptions

    suffixes = (".tiff", ".tif", ".lsm", ".stk")
    read_only = (".lsm", ".stk")

    def write(self, path: Path, image: Image) -> None:
        """Write a hyperstack: axes, pixel size, time interval, labels, ranges of display; all or nothing."""
        copy_pieces(image, self.create(path, image.layout))

    def create(self, path: Path, layout: ImageLayout) -> ImageWriter:
        """Begin a hyperstack whose regions are written into the file itself."""
        check_name(path, self.read_only, self.suffixes)
        stored = stored_axes(layout, path)
        check_dtype(layout, str(path), _KINDS, "ImageJ", "Convert them, or write .ome.tif.")
        sides = dict(zip(layout.axes, layout.shape, strict=True))
        shape = tuple(sides[letter] for letter in stored)
        size, planes = math.prod(shape) * layout.dtype.itemsize, math.prod(shape[:-2])
        listed = size + planes * _ENTRY <= _MOST_BYTES
        fits = size // planes <= _MOST_BYTES
        if not fits:
            _LOG.warning(_HUGE, path)
        elif not listed:
            _LOG.warning(_LARGE, path)

        @contextmanager
        def begin(temporary: Path) -> Iterator[Put]:
            axes = stored.replace("s", "t")
            if not fits:
                with raw_file(
                    temporary, shape, layout.dtype, _begin_big(temporary, layout, axes, shape)
                ) as put:
                    yield put
                return
            offset, ranges = begin_hyperstack(temporary, layout, axes, shape, truncated=not listed)
            with raw_file(temporary, shape, layout.dtype, offset) as put:
                yield ranges.watching(put)
            ranges.write()

        return RegionWriter(path, layout, stored=stored, begin=begin)


def _begin_big(path: Path, layout: ImageLayout, axes: str, shape: tuple[int, ...]) -> int:
    """Write everything but the pixels of a BigTIFF, and return the position of the first of them."""
    place = tifffile.imwrite(
        path,
        shape=shape,
        dtype=layout.dtype,
        bigtiff=True,
        photometric="minisblack",
        metadata={"axes": axes.upper()} | plain_words(layout, shape),
        resolution=resolution(layout),
        returnoffset=True,
    )
    return first_pixel(place)
