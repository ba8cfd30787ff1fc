"""The images of a TIFF file: as OME-XML describes them, or from its pages alone."""

import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
import tifffile

from denoisplit.core.errors import ImageError
from denoisplit.core.images.axes import AXES, reorder
from denoisplit.core.images.derived_images import rearranged, window
from denoisplit.core.images.image_checks import check_numbers
from denoisplit.core.images.layout import parse_remark
from denoisplit.core.images.lazy import LazyArray, reading_file
from denoisplit.plugins.image_formats._ome_planes import OmeFiles, sides
from denoisplit.plugins.image_formats._ome_xml import OmeImage, parse_ome, whole
from denoisplit.plugins.image_formats._several import COLOURS, NAMELESS
from denoisplit.plugins.image_formats._tiff_checks import (
    check_alike,
    check_alone,
    check_chain,
    check_claimed,
    check_intensities,
    check_page,
)
from denoisplit.plugins.image_formats._tiff_pixels import (
    Plane,
    open_tiff,
    pixels_of,
    pixels_of_files,
    quiet,
    series_number,
    series_of_pages,
)
from denoisplit.plugins.image_formats._tiff_said import FAULTS

NOTE: Final = "denoisplit_axes"
"""Key of our own remark in the description: TIFF files lose axes of length 1 and have no axis for samples."""

REMARK: Final = "denoisplit"
"""Key of the whole remark; files of the first versions have the axes only."""

_GRAY: Final = (
    tifffile.PHOTOMETRIC.MINISBLACK,
    tifffile.PHOTOMETRIC.MINISWHITE,
    tifffile.PHOTOMETRIC.PALETTE,
)
_LISTED: Final = 5
_UIC2: Final = 33629
_ALPHA: Final = (tifffile.EXTRASAMPLE.ASSOCALPHA, tifffile.EXTRASAMPLE.UNASSALPHA)


@attrs.frozen
class Found:
    """An image of a file.

    Attributes:
        name: name of the image.
        data: its pixels.
        axes: axes of ``data``: letters of ``stczyx``, ``?`` and ``r`` for colours.
        ome: its description in OME-XML; None where there is none.
    """

    name: str
    data: LazyArray
    axes: str
    ome: OmeImage | None = None


@contextmanager
def reading(path: Path, axes: str | None) -> Iterator[tuple[tifffile.TiffFile, list[Found]]]:
    """Open a TIFF file, refuse it if incomplete, and give its images while the file is open.

    Args:
        path: the file.
        axes: axes given by the caller; with them, pages that OME-XML does not describe well are read.

    Raises:
        ImageError: missing, truncated or unreadable file, or pixels that are no intensities.
    """
    with _opened(path) as tif:
        check_chain(tif, path)
        yield tif, _described(tif, path, axes) or [_plain(tif, path, axes)]


@contextmanager
def _opened(path: Path) -> Iterator[tifffile.TiffFile]:
    """Open a file, and turn every error in the block into an ``ImageError``."""
    with reading_file(path, "TIFF"), quiet(), open_tiff(path) as tif:
        yield tif


def first_of_set(path: Path) -> Path:
    """Return the file with the first page of an image, which stands for all its files."""
    try:
        with _opened(path) as tif:
            ome = parse_ome(tif.pages.first.description)
            if ome is None:
                return path
            files = OmeFiles(tif, path, ome)
            return next((files.where(data) for image in files.images() for data in image.data), path)
    except ImageError:
        return path  # opening the file reports what is wrong


def _described(tif: tifffile.TiffFile, path: Path, axes: str | None) -> list[Found]:
    """Return the images that OME-XML describes; none where there is no document, or one that does not fit."""
    ome = parse_ome(tif.pages.first.description)
    if ome is None:
        return []
    try:
        files = OmeFiles(tif, path, ome)
        found = [_ome_image(tif, files, image, axes) for image in files.images()]
    except ImageError:
        if axes is None:
            raise
        return []
    named = [image for image in found if image is not None]
    return named if len(named) == len(found) else []


def _ome_image(tif: tifffile.TiffFile, files: OmeFiles, image: OmeImage, axes: str | None) -> Found | None:
    """Return an image of a document; None where its pages do not match the document."""
    path = files.path
    samples = whole(image.channels[0].get("SamplesPerPixel") if image.channels else None, 1) or 1
    sizes = sides(image, samples)
    if sizes is None:
        return None
    planes = files.planes(image, sizes)
    own = all(plane.path == path for plane in planes)
    key = tif.pages[planes[0].number].aspage() if own else _checked(planes, path)
    plane = tuple(int(image.pixels[f"Size{letter}"]) for letter in "YX")
    if (key.samplesperpixel, key.imagedepth, key.imagelength, key.imagewidth) != (samples, 1, *plane):
        return None
    outer = [letter for letter in reversed(sizes) if sizes[letter] > 1]
    letters = "".join(NAMELESS if files.ome.modulo else letter.lower() for letter in outer)
    letters += _letters(key.axes, letters, key)
    shape = (*(sizes[letter] for letter in outer), *key.shape)
    if axes is None:
        check_intensities(key, letters, shape, path)
    if own:
        find = partial(series_of_pages, tuple(plane.number for plane in planes), shape, letters)
        data = pixels_of(find(tif), find, path)
    else:
        check_numbers(np.dtype(key.dtype or "V1"), str(path))
        data = pixels_of_files(planes, shape, np.dtype(key.dtype), path)
    return Found(image.name, *_without_alpha(data, letters, key), image)


def _checked(planes: tuple[Plane, ...], path: Path) -> tifffile.TiffPage:
    """Check that all pages of an image in several files are complete and alike; return the first."""
    first: tifffile.TiffPage | None = None
    by_file: dict[Path, list[Plane]] = {}
    for plane in planes:
        by_file.setdefault(plane.path, []).append(plane)
    for file, its in by_file.items():
        with _opened(file) as tif:
            check_chain(tif, file)
            for plane in its:
                page = tif.pages[plane.number].aspage()
                first = first or page
                check_alike(page, first, file)
                check_page(page, file)
    if first is None:
        raise ImageError(f"{path}: the image has no pages (got {len(planes)}). Save it again.")
    return first


def _plain(tif: tifffile.TiffFile, path: Path, axes: str | None) -> Found:
    """Return the image of a file without OME-XML, leaving out thumbnails."""
    check_page(tif.pages.first, path)
    try:
        numbered = list(enumerate(tif.series))
    except FAULTS:
        return _pages_alone(tif, path, axes)
    full = [(number, series) for number, series in numbered if not series.keyframe.is_reduced]
    several = full or numbered
    if len(several) != 1:
        shapes = ", ".join(str(series.shape) for _, series in several[:_LISTED])
        raise ImageError(
            f"{path}: expected one image per file (got {len(several)}: {shapes}). Save one file for each."
        )
    number, series = several[0]
    letters = _letters(series.axes, "", series.keyframe)
    if len(tif.pages) == 1 and not tif.is_stk:
        if axes is None:
            check_claimed(series.keyframe, series.shape, letters, path)
        check_alone(series.keyframe, series.nbytes, letters, axes, path)
    if axes is None:
        check_intensities(series.keyframe, letters, series.shape, path)
    find = partial(series_number, number)
    return Found("", *_without_alpha(pixels_of(find(tif), find, path), letters, series.keyframe))


def _pages_alone(tif: tifffile.TiffFile, path: Path, axes: str | None) -> Found:
    """Return the pages of a file as they are, where its description makes no sense."""
    pages = [page.aspage() for page in tif.pages]
    full = [number for number, page in enumerate(pages) if not page.is_reduced] or range(len(pages))
    key = pages[full[0]]
    stack = key.tags.get(_UIC2) if tif.is_stk else None  # it has an entry for each plane
    planes = len(full) if stack is None else stack.count
    shape = (planes, *key.shape) if planes > 1 else tuple(key.shape)
    letters = NAMELESS * (planes > 1) + _letters(key.axes, "", key)
    if len(pages) == 1 and stack is None:
        if axes is None:
            check_claimed(key, shape, letters, path)
        check_alone(key, key.nbytes, letters, axes, path)
    if axes is None:
        check_intensities(key, letters, shape, path)
    find = partial(series_of_pages, tuple(full), shape, letters)
    return Found("", *_without_alpha(pixels_of(find(tif), find, path), letters, key))


def _letters(axes: str, before: str, key: tifffile.TiffPage) -> str:
    """Translate tifffile's letters; its ``S``, samples of a pixel, stands for colours or channels."""
    samples = COLOURS if key.photometric not in _GRAY else NAMELESS if "c" in before + axes.lower() else "c"
    known = {letter: letter for letter in AXES} | {"s": samples}
    return "".join(known.get(letter, NAMELESS) for letter in axes.lower())


def _without_alpha(data: LazyArray, axes: str, key: tifffile.TiffPage) -> tuple[LazyArray, str]:
    """Return gray pixels without their opacity."""
    if key.samplesperpixel != 2 or key.photometric not in _GRAY or not set(key.extrasamples) & set(_ALPHA):
        return data, axes
    at = len(axes) + (-1 if key.axes.endswith("S") else -3)
    gray = window(data, (*(slice(None),) * at, slice(0, 1)))
    return rearranged(gray, [axis for axis in range(len(axes)) if axis != at]), axes[:at] + axes[at + 1 :]


def remark_of(tif: tifffile.TiffFile, description: dict[str, Any]) -> dict[str, Any]:
    """Return our own remark in a file; files of the first versions have the axes only."""
    text = tif.pages.first.description
    said = description.get(REMARK)
    if said is None and f"{REMARK}=" in text:
        said = html.unescape(text).partition(f"{REMARK}=")[2]
    axes = re.search(rf"{NOTE}=([{AXES}]+)", text)
    early = str(description.get(NOTE, "") or (axes.group(1) if axes else ""))
    found = parse_remark(str(said or ""))
    return {"axes": early, **found} if early else found


def as_noted(data: LazyArray, axes: str, said: dict[str, Any], override: str | None) -> tuple[LazyArray, str]:
    """Restore the axes of our remark, unless they no longer fit or the caller gives others."""
    wanted = str(said.get("axes", ""))
    if not wanted or override is not None:
        return data, axes
    if "s" in wanted and "t" not in wanted:
        axes = axes.replace("t", "s")
    if not set(axes) <= set(wanted):
        return data, axes
    return reorder(data, axes, wanted), wanted
