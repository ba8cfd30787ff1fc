"""The pixels of pages of TIFF files, read where they are asked for, in any process."""

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
"""Entries of tags."""

_TAGS: Final = 4096
_KIND: Final = frozenset({256, 257, 258, 259, 262, 266, 277, 278, 284, 317, 322, 323, 338, 339, 32997, 32998})
"""Tags with the kind of the pixels: sides, bits, compression, samples, strips, tiles."""

Find = Callable[[tifffile.TiffFile], tifffile.TiffPageSeries]
"""Finds the pages of an image in an open file."""


def open_tiff(path: Path) -> tifffile.TiffFile:
    """Open a file by itself: tifffile looks for the other files of a set neither by OME-XML nor by an index.

    It would take pixels of one file for those of another where those of both lie in one piece.
    """
    return tifffile.TiffFile(path, is_ome=False, is_mmstack=False, is_ndtiff=False)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep tifffile from saying about a bad file what our error says in one line."""
    logger = logging.getLogger("tifffile")
    before = logger.disabled
    logger.disabled = True
    try:
        with np.errstate(all="ignore"):
            yield
    finally:
        logger.disabled = before


def series_number(number: int, tif: tifffile.TiffFile) -> tifffile.TiffPageSeries:
    """The pages that tifffile takes for an image."""
    return _exact(tif.series[number])


def _exact(series: tifffile.TiffPageSeries) -> tifffile.TiffPageSeries:
    """A series whose pages are what they say: tifffile takes all for such as the first one is.

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
    """A page with its own description, where it differs from that of the first one."""
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
    """Pages in this order as an image.

    Of pages that are described as the first one is, of which there may be many thousands, only the places of
    their pixels are kept.

    Raises:
        ImageError: pages that differ.
    """
    first = tif.pages[numbers[0]].aspage()
    tif.pages.set_keyframe(numbers[0])
    pages: list[Page] = [first, *(_page(tif, number) for number in numbers[1:])]
    alone = len(pages) == 1  # it may describe all planes of a stack
    series = tifffile.TiffPageSeries(pages, shape, first.dtype, axes.upper(), squeeze=False, truncated=alone)
    return _exact(series)


def _page(tif: tifffile.TiffFile, number: int) -> Page:
    """The places of the pixels of a page."""
    tif.pages.useframes = True
    with suppress(RuntimeError):  # tifffile's word for pages of another size
        return tif.pages[number]
    tif.pages.useframes = False
    return tif.pages[number]


def _description(tif: tifffile.TiffFile, offset: int) -> Description:
    """What is written of a page about the kind of its pixels, as it is."""
    layout, handle = tif.tiff, tif.filehandle
    handle.seek(offset)
    (count,) = struct.unpack(layout.tagnoformat, handle.read(layout.tagnosize))
    tags = handle.read(min(count, _TAGS) * layout.tagsize)
    size, code = layout.tagsize, f"{layout.byteorder}H"
    entries = (tags[start : start + size] for start in range(0, len(tags) - size + 1, size))
    return {entry for entry in entries if struct.unpack(code, entry[:2])[0] in _KIND}


def pixels_of(series: tifffile.TiffPageSeries, find: Find, path: Path) -> LazyPixels:
    """The pixels of an image in one file.

    Args:
        series: its pages, in an open file.
        find: finds them again.
        path: of the file.

    Raises:
        ImageError: pages that lack bytes, or an end of the pixels behind that of the file.
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
    """Compressed, tiled or scattered pixels: strips and tiles are decoded where they are asked for."""

    def __init__(self, path: Path, find: Find) -> None:
        self._path, self._find = path, find
        self._array: ByChunks | None = None

    def __reduce__(self) -> tuple[type["_Chunks"], tuple[Path, Find]]:
        """Other processes open the file anew."""
        return type(self), (self._path, self._find)

    def read(self, region: Window) -> AnyArray:
        """The pixels of a region."""
        if self._array is None:
            import zarr  # of large files alone

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
        path: of the file.
        number: of the page, from 0.
    """

    path: Path
    number: int


def pixels_of_files(
    planes: Sequence[Plane], shape: tuple[int, ...], dtype: np.dtype[Any], source: Path
) -> LazyPixels:
    """The pixels of an image whose planes are in several files; every page is read from its own.

    Args:
        planes: all of them, those of the last axis before those of a page fastest.
        shape: of the image; its last axes are those of a page.
        dtype: of its pixels.
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
    import zarr  # of large files alone

    array: Any = zarr.open_array(page.aszarr(), mode="r")
    return np.asarray(array[region])
