"""What plain, ImageJ and OME TIFF files have in common: reading safely, and writing whole or not at all."""

import logging
import re
import struct
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import attrs
import numpy as np
import tifffile

from denoisplit.core.errors import ImageError
from denoisplit.core.images.axes import AXES, SPATIAL, ambiguous_axes, parse_axes, reorder
from denoisplit.core.images.interfaces import AnyArray, Image

MEMORY_MAP_FROM = 2**28
"""Bytes from which contiguous pixels are mapped instead of read."""

NOTE = "denoisplit_axes"
"""Key of our own remark in the description: TIFF files lose axes of length 1 and have no axis for samples."""

MICRONS = {"um", "micron", "microns", "micrometer", "micrometre", "\\u00b5m", "\\u03bcm", "µm", "μm"}


@attrs.frozen
class Pixels:
    """Pixels of the one series of a file, with the file's metadata still open beside them."""

    data: AnyArray
    axes: str
    tif: tifffile.TiffFile


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
            series = _only_series(tif, path)
            _refuse_truncated(tif, series, path)
            data = _pixels(tif, series, path)
            named = (
                _axes(series, data.shape, path) if axes is None else parse_axes(axes, data.shape, str(path))
            )
            yield Pixels(*_noted(data, named, tif, axes), tif)
    except ImageError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(
            f"{path}: not a readable TIFF file (got: {reason}). Check that it is complete and really a TIFF."
        ) from error


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


def _only_series(tif: tifffile.TiffFile, path: Path) -> tifffile.TiffPageSeries:
    if len(tif.series) != 1:
        raise ImageError(
            f"{path}: expected one image per file (got {len(tif.series)} of different shape). "
            f"Save one file for each."
        )
    return tif.series[0]


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


def _pixels(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries, path: Path) -> AnyArray:
    if series.dtype is None or series.dtype.kind not in "uif":
        raise ImageError(f"{path}: pixels must be real numbers (got {series.dtype}). Save intensities.")
    if series.dataoffset is not None and series.nbytes >= MEMORY_MAP_FROM:
        kind = series.dtype.newbyteorder(tif.byteorder)
        return np.memmap(path, dtype=kind, mode="r", offset=series.dataoffset, shape=series.shape)
    data = series.asarray()
    return data.astype(data.dtype.newbyteorder("="), copy=False)


def _axes(series: tifffile.TiffPageSeries, shape: tuple[int, ...], path: Path) -> str:
    axes = series.axes.lower()
    if "s" in axes:
        if series.keyframe.photometric == tifffile.PHOTOMETRIC.RGB:
            proposal = axes.replace("s", "c")
            raise ImageError(
                f"{path}: the image is an RGB picture (got shape {shape}). "
                f"Save the detector's channels, or give axes='{proposal}' if the colours are the channels."
            )
        if "c" in axes:
            raise ambiguous_axes(shape, str(path))
        axes = axes.replace("s", "c")
    if set(axes) - set(AXES):
        raise ambiguous_axes(shape, str(path))
    return parse_axes(axes, shape, str(path))


def _noted(data: AnyArray, axes: str, tif: tifffile.TiffFile, override: str | None) -> tuple[AnyArray, str]:
    """Restore what we noted when we wrote the file, unless it no longer fits or the caller knows better."""
    note = re.search(rf"{NOTE}=([{AXES}]+)", tif.pages.first.description)
    if note is None or override is not None:
        return data, axes
    wanted = note.group(1)
    if "s" in wanted and "t" not in wanted:
        axes = axes.replace("t", "s")
    if not set(axes) <= set(wanted):
        return data, axes
    return reorder(data, axes, wanted), wanted


def storable(image: Image, path: Path) -> tuple[AnyArray, str]:
    """Pixels and axes in the order of a hyperstack, ``tzcyx``; samples are stored as time points.

    Raises:
        ImageError: both samples and time, or a record whose parts do not fit each other.
    """
    axes = parse_axes(image.axes, image.data.shape, str(path))
    names, channels = image.channel_names, image.data.shape[axes.index("c")] if "c" in axes else 1
    if len(names) > channels or ("c" in axes and names and len(names) != channels):
        raise ImageError(
            f"{path}: {channels} channels need {channels} names (got {names}). Name every channel once."
        )
    if image.pixel_size is not None and len(image.pixel_size.size) != sum(
        letter in SPATIAL for letter in axes
    ):
        raise ImageError(
            f"{path}: the pixel size needs one number per spatial axis of {axes!r} "
            f"(got {image.pixel_size.size}). Give them in the order of the axes."
        )
    if "s" in axes and "t" in axes:
        raise ImageError(
            f"{path}: TIFF has no axis for samples besides time (got axes {axes!r}). Write one time each."
        )
    stack = "".join(letter for letter in "tszcyx" if letter in axes)
    return reorder(image.data, axes, stack), stack.replace("s", "t")


def sizes_by_axis(image: Image) -> dict[str, float]:
    """Pixel size by axis letter; empty when unknown."""
    if image.pixel_size is None:
        return {}
    return dict(zip((a for a in image.axes.lower() if a in SPATIAL), image.pixel_size.size, strict=True))


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary file beside ``path`` and move it there when complete.

    Raises:
        ImageError: the folder or the file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        temporary.replace(path)
    except OSError as error:
        raise ImageError(
            f"{path}: it cannot be written (got: {error.strerror}). Check folder and space."
        ) from error
    finally:
        with suppress(OSError):  # where nothing could be written, there is nothing to remove
            temporary.unlink()
