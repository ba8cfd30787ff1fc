"""The pixels of TIFF pages, read lazily, in any process."""

import itertools
import logging
import math
import struct
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
import tifffile

from denoisplit.core.arrays import AnyArray, Window
from denoisplit.core.errors import ImageError
from denoisplit.core.images.chunked import ByChunks
from denoisplit.core.images.claims import check_claim
from denoisplit.core.images.image_checks import check_numbers
from denoisplit.core.images.lazy import LazyPixels, is_small, mapped
from denoisplit.plugins.image_formats._tiff_checks import Page, check_alike, check_page

Description = set[bytes]
"""The tags of a page that describe its pixels, as stored."""

_TAGS: Final = 4096
_KIND: Final = frozenset({256, 257, 258, 259, 262, 266, 277, 278, 284, 317, 322, 323, 338, 339, 32997, 32998})
"""Tags that describe the pixels: sides, bits, compression, samples, strips, tiles."""

Find = Callable[[tifffile.TiffFile], tifffile.TiffPageSeries]
"""Finds the pages of an image in an open file."""


def open_tiff(path: Path) -> tifffile.TiffFile:
    """Open a file by itself, without letting tifffile look for other files of a set.

    It mistakes pixels of one file for those of another where both are contiguous.
    """
    return tifffile.TiffFile(path, is_ome=False, is_mmstack=False, is_ndtiff=False)


def first_pixel(place: tuple[int, int] | None) -> int:
    """Return the position of the first pixel in a file that tifffile has begun.

    Args:
        place: position and number of bytes of the pixels, as ``tifffile.imwrite`` returns them.

    Raises:
        ImageError: the pixels are not in one piece.
    """
    if place is None:
        raise ImageError("TIFF: the pixels are not in one piece (got no position). Write them another way.")
    return place[0]


@contextmanager
def quiet() -> Iterator[None]:
    """Silence tifffile's messages about a bad file, which our error reports in one line."""
    logger = logging.getLogger("tifffile")
    before = logger.disabled
    logger.disabled = True
    try:
        with np.errstate(all="ignore"):
            yield
    finally:
        logger.disabled = before


def series_number(number: int, tif: tifffile.TiffFile) -> tifffile.TiffPageSeries:
    """Return the pages that tifffile takes for an image."""
    return _exact(tif.series[number])


def _exact(series: tifffile.TiffPageSeries) -> tifffile.TiffPageSeries:
    """Return a series with every page as described in the file: tifffile assumes all are like the first.

    Raises:
        ImageError: pages that differ.
    """
    key = series.keyframe
    described = _description(key.parent, key.offset)
    pages = [_itself(page, key, described) for page in series.pages]
    if all(one is other for one, other in zip(pages, series.pages, strict=True)):
        return series
    return tifffile.TiffPageSeries(pages, series.get_shape(False), series.dtype, series.get_axes(False))


def _itself(page: Page | None, key: tifffile.TiffPage, described: Description) -> Page | None:
    """Return a page with its own description where it differs from that of the first page."""
    if not isinstance(page, tifffile.TiffFrame) or not page.offset:
        return page
    many = key.is_contiguous and len(key.dataoffsets) > 1
    if not (many and _scattered(page)) and _description(key.parent, page.offset) == described:
        return page
    whole = page.aspage()
    check_alike(whole, key, Path(key.parent.filehandle.path))
    return whole


def _scattered(page: Page) -> bool:
    ends = (start + length for start, length in zip(page.dataoffsets, page.databytecounts, strict=False))
    return any(end != start for end, start in zip(ends, page.dataoffsets[1:], strict=False))


def series_of_pages(
    numbers: Sequence[int], shape: tuple[int, ...], axes: str, tif: tifffile.TiffFile
) -> tifffile.TiffPageSeries:
    """Join pages in this order into an image.

    Of the pages described like the first, of which there may be many thousands, only the positions of their
    pixels are kept.

    Raises:
        ImageError: pages that differ.
    """
    first = tif.pages[numbers[0]].aspage()
    tif.pages.set_keyframe(numbers[0])
    pages: list[Page] = [first, *(_page(tif, number) for number in numbers[1:])]
    alone = len(pages) == 1  # it may describe all planes of a stack
    series = tifffile.TiffPageSeries(pages, shape, first.dtype, axes.upper(), truncated=alone)
    return _exact(series)


def _page(tif: tifffile.TiffFile, number: int) -> Page:
    """Return a page with the positions of its pixels."""
    tif.pages.useframes = True
    with suppress(RuntimeError):  # tifffile's error for pages of another size
        return tif.pages[number]
    tif.pages.useframes = False
    return tif.pages[number]


def _description(tif: tifffile.TiffFile, offset: int) -> Description:
    """Read the tags of a page that describe its pixels, as stored."""
    layout, handle = tif.tiff, tif.filehandle
    handle.seek(offset)
    (count,) = struct.unpack(layout.tagnoformat, handle.read(layout.tagnosize))
    tags = handle.read(min(count, _TAGS) * layout.tagsize)
    kinds = {struct.pack(f"{layout.byteorder}H", number) for number in _KIND}
    entries = (tags[start : start + layout.tagsize] for start in range(0, len(tags), layout.tagsize))
    return {entry for entry in entries if entry[:2] in kinds}


def pixels_of(series: tifffile.TiffPageSeries, find: Find, path: Path) -> LazyPixels:
    """Return the lazy pixels of an image in one file.

    Args:
        series: its pages, in an open file.
        find: function that finds them again.
        path: the file.

    Raises:
        ImageError: pages that lack bytes, or pixels beyond the end of the file.
    """
    for page in series.pages:
        if page is None:
            raise ImageError(f"{path}: a page is missing (got shape {series.shape}). Copy the file again.")
        check_page(page, path)
    check_numbers(np.dtype("V1") if series.dtype is None else series.dtype, str(path))
    handle = series.keyframe.parent.filehandle
    if series.dataoffset is not None:
        kind = np.dtype(series.dtype).newbyteorder(series.keyframe.parent.byteorder)
        return mapped(path, shape=series.shape, dtype=kind, offset=series.dataoffset)
    for sides in (series.shape, series.keyframe.chunks):
        check_claim(sides, np.dtype(series.dtype).itemsize, handle.size, str(path))
    read: Callable[[Window], AnyArray] = _Chunks(path, find).read
    if is_small(series.nbytes):
        read = series.asarray().reshape(series.shape).__getitem__
    return LazyPixels(shape=tuple(series.shape), dtype=series.dtype, read=read, source=str(path))


class _Chunks:
    """Compressed, tiled or scattered pixels: strips and tiles are decoded on demand."""

    def __init__(self, path: Path, find: Find) -> None:
        self._path, self._find = path, find
        self._array: ByChunks | None = None

    def __reduce__(self) -> tuple[type["_Chunks"], tuple[Path, Find]]:
        """Pickle without the open file: other processes open it again."""
        return type(self), (self._path, self._find)

    def read(self, region: Window) -> AnyArray:
        """Read the pixels of a region."""
        if self._array is None:
            import zarr  # needed for large files only

            with quiet():
                tif = open_tiff(self._path)
                weakref.finalize(self, tif.close)
                array: Any = zarr.open_array(self._find(tif).aszarr(level=0), mode="r")
            self._array = ByChunks(array.__getitem__, array.shape, array.chunks, array.dtype.itemsize)
        return self._array(region)


@attrs.frozen
class Plane:
    """A page of a file.

    Attributes:
        path: the file.
        number: number of the page, from 0.
    """

    path: Path
    number: int


def pixels_of_files(
    planes: Sequence[Plane], shape: tuple[int, ...], dtype: np.dtype[Any], source: Path
) -> LazyPixels:
    """Return the lazy pixels of an image whose planes are in several files, each read from its own.

    Args:
        planes: all planes, in row-major order of the axes before those of a page.
        shape: shape of the image; its last axes are those of a page.
        dtype: type of its pixels.
        source: file that stands for the set.
    """
    return LazyPixels(
        shape=shape, dtype=dtype, read=partial(_read_planes, tuple(planes), shape), source=str(source)
    )


def _read_planes(planes: tuple[Plane, ...], shape: tuple[int, ...], region: Window) -> AnyArray:
    outer = next(rank for rank in range(len(shape) + 1) if math.prod(shape[:rank]) == len(planes))
    wanted = np.arange(len(planes)).reshape(shape[:outer])[region[:outer]]
    pixels: list[AnyArray] = []
    for path, group in itertools.groupby((planes[i] for i in wanted.ravel()), key=lambda plane: plane.path):
        with quiet(), open_tiff(path) as tif:
            pixels += [_part(tif.pages[plane.number].aspage(), region[outer:]) for plane in group]
    return np.stack(pixels).reshape(*wanted.shape, *pixels[0].shape)


def _part(page: tifffile.TiffPage, region: Window) -> AnyArray:
    if is_small(page.nbytes):
        return np.asarray(page.asarray()[region])
    import zarr  # needed for large files only

    array: Any = zarr.open_array(page.aszarr(), mode="r")
    return np.asarray(array[region])
