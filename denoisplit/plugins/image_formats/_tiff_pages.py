"""What plain, ImageJ and OME TIFF files have in common: their pixels and axes, read safely and lazily."""

import html
import logging
import re
import struct
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import tifffile

from denoisplit.core.errors import ImageError
from denoisplit.core.images.axes import AXES, ambiguous_axes, parse_axes, reorder
from denoisplit.core.images.checks import check_numbers
from denoisplit.core.images.chunked import ByChunks
from denoisplit.core.images.claims import check_claim
from denoisplit.core.images.interfaces import AnyArray, LazyArray
from denoisplit.core.images.layout import parse_remark
from denoisplit.core.images.lazy import LazyPixels, Region, at_hand, is_small, mapped, stacked, unreadable

NOTE = "denoisplit_axes"
"""Key of our own remark in the description: TIFF files lose axes of length 1 and have no axis for samples."""

REMARK = "denoisplit"
"""Key of the whole remark, of which files of the first versions have the axes only."""


@attrs.frozen
class Pixels:
    """Pixels of a file, with its metadata still open beside them.

    Attributes:
        data: pixels.
        axes: of ``data``.
        tif: the open file.
        description: what ImageJ or tifffile wrote beside the pixels; empty for none.
        remark: our own.
    """

    data: LazyArray
    axes: str
    tif: tifffile.TiffFile
    description: dict[str, Any]
    remark: dict[str, Any]


@contextmanager
def reading(path: Path, axes: str | None) -> Iterator[Pixels]:
    """Open a TIFF file, refuse it when incomplete, and give its pixels and axes.

    Raises:
        ImageError: missing, truncated, unreadable or RGB file, several images in it, or axes that do not fit.
    """
    if not path.is_file():
        raise ImageError(f"{path}: there is no such file. Check the path.")
    try:
        with _quiet(), tifffile.TiffFile(path) as tif:
            many = _alike(tif, path)
            for series in many:
                _refuse_truncated(tif, series, path)
                _refuse_pictures(series, path, axes)
            parts = [_pixels(tif, series, path) for series in many]
            data = parts[0] if len(parts) == 1 else stacked(parts, str(path))
            shape = tuple(data.shape)
            if axes is None:
                named = ("s" if len(parts) > 1 else "") + _axes(many[0], parts[0].shape, path)
            else:
                named = parse_axes(axes, shape, str(path))
            description = tif.imagej_metadata or (tif.shaped_metadata or ({},))[0]
            said = _remark(tif, description)
            yield Pixels(*_noted(at_hand(data), named, said, axes), tif, dict(description), said)
    except ImageError:
        raise
    except Exception as error:
        raise unreadable(str(path), error, "TIFF") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep tifffile from logging about a bad file what our error says in one line."""
    logger = logging.getLogger("tifffile")
    before = logger.disabled
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = before


def _alike(tif: tifffile.TiffFile, path: Path) -> list[tifffile.TiffPageSeries]:
    """The images of a file: one, or the positions of an OME-TIFF, which become an axis ``s``."""
    many = list(tif.series)
    kinds = {(series.shape, series.axes, series.dtype) for series in many}
    if not many or len(kinds) > 1 or (len(many) > 1 and not tif.is_ome):
        raise ImageError(
            f"{path}: expected one image per file (got {len(many)} of different shape). "
            f"Save one file for each."
        )
    return many


def _refuse_pictures(series: tifffile.TiffPageSeries, path: Path, axes: str | None) -> None:
    """Colours of a palette are no intensities."""
    check_numbers(np.dtype("V1") if series.dtype is None else series.dtype, str(path))
    if series.keyframe.photometric == tifffile.PHOTOMETRIC.PALETTE and axes is None:
        raise ImageError(
            f"{path}: the pixels are numbers of colours in a palette (got shape {series.shape}). Save "
            f"intensities, or give axes (--axes) if the numbers are intensities that were only coloured."
        )


def _refuse_truncated(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries, path: Path) -> None:
    size = tif.filehandle.size
    ends = [series.dataoffset + series.nbytes] if series.dataoffset is not None else [0]
    complete = True
    for page in series.pages:
        if page is None:
            complete = False
        else:
            ends += [
                start + length for start, length in zip(page.dataoffsets, page.databytecounts, strict=True)
            ]
    if not complete or max(ends) > size or not _chain_ends(tif):
        raise ImageError(
            f"{path}: the file is truncated (got {size} bytes, needs more than {min(max(ends), size)}). "
            f"Copy it again."
        )


def _chain_ends(tif: tifffile.TiffFile) -> bool:
    """Whether the last page that was found says that it is the last one, and all its tags can be read."""
    last, layout, handle = tif.pages[-1], tif.tiff, tif.filehandle
    handle.seek(last.offset)
    (tags,) = struct.unpack(layout.tagnoformat, handle.read(layout.tagnosize))
    handle.seek(last.offset + layout.tagnosize + tags * layout.tagsize)
    (following,) = struct.unpack(layout.offsetformat, handle.read(layout.offsetsize))
    return bool(following == 0) and len(last.aspage().tags) == tags


def _pixels(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries, path: Path) -> LazyPixels:
    if series.dataoffset is not None:
        kind = np.dtype(series.dtype).newbyteorder(tif.byteorder)
        return mapped(path, shape=series.shape, dtype=kind, offset=series.dataoffset)
    stored = sum(parent.filehandle.size for parent in {page.parent for page in series.pages if page})
    for sides in (series.shape, series.keyframe.chunks):
        check_claim(sides, series.dtype.itemsize, stored, str(path))
    number = tif.series.index(series)
    read: Callable[[Region], AnyArray] = _Chunks(path, number).read
    if is_small(series.nbytes):
        read = series.asarray().__getitem__
    return LazyPixels(shape=tuple(series.shape), dtype=series.dtype, read=read, source=str(path))


class _Chunks:
    """Compressed, tiled or scattered pixels: strips and tiles are decoded where they are asked for."""

    def __init__(self, path: Path, number: int) -> None:
        self._path, self._number = path, number
        self._array: ByChunks | None = None

    def __reduce__(self) -> tuple[type["_Chunks"], tuple[Path, int]]:
        """Other processes open the file anew."""
        return type(self), (self._path, self._number)

    def read(self, region: Region) -> AnyArray:
        """The pixels of a region."""
        if self._array is None:
            import zarr  # of large files alone

            tif = tifffile.TiffFile(self._path)
            weakref.finalize(self, tif.close)
            array: Any = zarr.open_array(tif.series[self._number].aszarr(level=0), mode="r")
            self._array = ByChunks(array.__getitem__, array.shape, array.chunks, array.dtype.itemsize)
        return self._array(region)


def _axes(series: tifffile.TiffPageSeries, shape: tuple[int, ...], path: Path) -> str:
    axes = series.axes.lower()
    if "s" in axes:
        if series.keyframe.photometric == tifffile.PHOTOMETRIC.RGB:
            proposal = axes.replace("s", "c")
            raise ImageError(
                f"{path}: the image is an RGB picture (got shape {shape}). Save the detector's channels, "
                f"or give axes='{proposal}' (--axes {proposal}) if the colours are the channels."
            )
        if "c" in axes:
            raise ambiguous_axes(shape, str(path))
        axes = axes.replace("s", "c")
    if set(axes) - set(AXES):
        raise ambiguous_axes(shape, str(path))
    return parse_axes(axes, shape, str(path))


def _remark(tif: tifffile.TiffFile, description: dict[str, Any]) -> dict[str, Any]:
    """What we noted when we wrote the file; files of the first versions note the axes alone."""
    text = tif.pages.first.description
    said = description.get(REMARK)
    if said is None and f"{REMARK}=" in text:
        said = html.unescape(text).partition(f"{REMARK}=")[2]
    axes = re.search(rf"{NOTE}=([{AXES}]+)", text)
    early = str(description.get(NOTE, "") or (axes.group(1) if axes else ""))
    found = parse_remark(str(said or ""))
    return {"axes": early, **found} if early else found


def _noted(data: LazyArray, axes: str, said: dict[str, Any], override: str | None) -> tuple[LazyArray, str]:
    """Restore what we noted when we wrote the file, unless it no longer fits or the caller knows better."""
    wanted = str(said.get("axes", ""))
    if not wanted or override is not None:
        return data, axes
    if "s" in wanted and "t" not in wanted:
        axes = axes.replace("t", "s")
    if not set(axes) <= set(wanted):
        return data, axes
    return reorder(data, axes, wanted), wanted
