"""Checks of a TIFF file before a pixel is read: missing bytes, pages that differ, palettes."""

import math
import struct
from pathlib import Path
from typing import Final

import numpy as np
import tifffile

from denoisplit.core.errors import ImageError
from denoisplit.core.images.axes import proposed_axes
from denoisplit.core.images.image_checks import check_numbers
from denoisplit.core.images.lazy import truncated

Page = tifffile.TiffPage | tifffile.TiffFrame

_SHADES: Final = 16
_NEAR: Final = 0.02
_PADDING: Final = 64
"""So many bytes between what is stored in a file are no plane."""

_COUNTS: Final = ("images", "channels", "slices", "frames")


def check_page(page: Page, path: Path) -> None:
    """Refuse a page that claims more pixels than the file has bytes for; huge claims take no longer.

    Raises:
        ImageError: no pixels; strips or tiles that are missing, empty, too short or beyond the file's end.
    """
    key = page.keyframe
    if key is None:
        raise ImageError(f"{path}: a page is not described (got page {page.index}). Copy the file again.")
    where, shape = f"{path}: page {page.index}", tuple(key.shape)
    claimed, size = math.prod(key.chunked), page.parent.filehandle.size
    if 0 in shape:
        raise ImageError(f"{where} needs pixels (got shape {shape}). Copy the file again.")
    found = list(zip(page.dataoffsets, page.databytecounts, strict=False))[:claimed]
    lacking = claimed - sum(start > 0 and length > 0 for start, length in found)
    if lacking:
        raise ImageError(
            f"{where} lacks {lacking} of its {claimed} strips or tiles (got shape {shape}). Save it again "
            f"with all its pixels, not as a sparse file."
        )
    ends = [found[0][0] + key.nbytes] if key.is_contiguous else [start + length for start, length in found]
    if max(ends) > size:
        raise truncated(path, size, max(ends))
    least, there = math.prod(shape) * key.bitspersample // 8, sum(length for _, length in found)
    if key.compression == tifffile.COMPRESSION.NONE and not key.is_contiguous and there < least:
        raise ImageError(
            f"{where} has fewer bytes than its pixels take (got {there} of {least} for shape {shape}). "
            f"Copy the file again."
        )


def check_alike(page: tifffile.TiffPage, key: tifffile.TiffPage, path: Path) -> None:
    """Refuse pages of one image that differ.

    Raises:
        ImageError: names the page and the difference.
    """
    known, found = [
        (tuple(one.shape), str(one.dtype), one.samplesperpixel, one.photometric) for one in (key, page)
    ]
    if known != found:
        raise ImageError(
            f"{path}: the pages of the image differ (got {found[0]} {found[1]} on page {page.index}, "
            f"{known[0]} {known[1]} on the first). Save one file for each kind."
        )


def check_chain(tif: tifffile.TiffFile, path: Path) -> None:
    """Refuse a file whose list of pages does not end with its last page.

    Raises:
        ImageError: truncated, or with a damaged list of pages.
    """
    if not len(tif.pages):
        raise ImageError(
            f"{path}: there is no image in the file (got {tif.filehandle.size} bytes). Copy it again."
        )
    last, layout, handle = tif.pages[-1], tif.tiff, tif.filehandle
    handle.seek(last.offset)
    (tags,) = struct.unpack(layout.tagnoformat, handle.read(layout.tagnosize))
    end = last.offset + layout.tagnosize + tags * layout.tagsize
    handle.seek(end)
    rest = handle.read(layout.offsetsize)
    following = struct.unpack(layout.offsetformat, rest)[0] if len(rest) == layout.offsetsize else end
    if following >= handle.size:
        raise truncated(path, handle.size, following + 1)
    if following or len(last.aspage().tags) != tags:
        raise ImageError(
            f"{path}: the list of pages is damaged (got {len(tif.pages)} pages that can be read). "
            f"Copy the file again."
        )


def check_claimed(page: tifffile.TiffPage, shape: tuple[int, ...], letters: str, path: Path) -> None:
    """Refuse a file with one page in its list of which ImageJ says more than there are bytes for.

    Args:
        page: the only page.
        shape: shape of the image that can be read.
        letters: its axes.
        path: the file.

    Raises:
        ImageError: it is truncated, or what is said is damaged.
    """
    said, size = page.parent.imagej_metadata or {}, page.parent.filehandle.size
    images, *counts = (_count(said.get(key)) for key in _COUNTS)
    planes = max(math.prod(counts), images)
    if page.samplesperpixel == said.get("channels"):  # the samples of a page are the channels
        planes //= page.samplesperpixel
    if page.is_contiguous and page.dataoffsets[0] + page.nbytes * planes > size:
        listed = ", ".join(f"{key}={said[key]}" for key in _COUNTS if key in said)
        proposal = proposed_axes(letters, shape)
        raise ImageError(
            f"{path}: the file is truncated, or what ImageJ says in it is damaged (got {listed} with "
            f"{page.nbytes} bytes each, and {size} in all). Copy it again, or give "
            f"axes='{proposal}' (--axes {proposal}) to read what is there."
        )


def _count(said: object) -> float:
    return said if isinstance(said, int | float) and said >= 1 else 1


def check_alone(page: tifffile.TiffPage, size: int, letters: str, axes: str | None, path: Path) -> None:
    """Refuse a file with one page in its list but the bytes of more, which nothing describes.

    Args:
        page: the only page.
        size: bytes of the image that begins there.
        letters: axes of the image.
        axes: axes given by the caller, who gets that image alone if they fit it.
        path: the file.

    Raises:
        ImageError: tells how many bytes there are.
    """
    if not page.is_contiguous or len(axes or "") == len(letters):
        return
    layout, end = page.parent.tiff, page.dataoffsets[0] + size
    tags = len(page.tags) * layout.tagsize
    apart = [tag for tag in page.tags if tag.valuebytecount > layout.tagoffsetthreshold]
    known = [(page.offset, tags), *((tag.valueoffset, tag.valuebytecount) for tag in apart)]
    rest = page.parent.filehandle.size - end - sum(count for start, count in known if start >= end)
    if rest >= max(page.nbytes, _PADDING):
        proposal = proposed_axes(letters, (size // page.nbytes, *page.shape)[-len(letters) :])
        raise ImageError(
            f"{path}: there are bytes of planes that nothing describes (got {rest} after the {size} of the "
            f"image). Save it again with all its planes, or give axes='{proposal}' (--axes {proposal}) to "
            f"read it without them."
        )


def check_intensities(key: tifffile.TiffPage, axes: str, shape: tuple[int, ...], path: Path) -> None:
    """Refuse pixel values that do not increase with intensity.

    Args:
        key: a page of the image.
        axes: letters of ``stczyx``, ``?`` and ``r``.
        shape: shape of the image.
        path: the file.

    Raises:
        ImageError: numbers that are not real, indices into a palette, or a negative.
    """
    check_numbers(np.dtype("V1") if key.dtype is None else key.dtype, str(path))
    proposal = proposed_axes(axes, shape)
    if key.photometric == tifffile.PHOTOMETRIC.PALETTE and not _is_ramp(key.colormap):
        raise ImageError(
            f"{path}: the pixels are indices into a palette of colours (got shape {shape}). Save "
            f"intensities, or give axes='{proposal}' (--axes {proposal}) if the numbers are intensities that "
            f"were only coloured."
        )
    if key.photometric == tifffile.PHOTOMETRIC.MINISWHITE and not key.is_imagej:
        raise ImageError(
            f"{path}: the image is a negative, in which 0 is white (got shape {shape}). Invert and save it, "
            f"or give axes='{proposal}' (--axes {proposal}) if larger numbers are more light all the same."
        )


def _is_ramp(colours: object) -> bool:
    """Whether a palette goes evenly from black to one colour, as gray does, and so is for display only."""
    table = np.asarray(colours, np.float64)
    if table.ndim != 2 or table.shape[1] < _SHADES:
        return False
    even = np.linspace(0, 1, table.shape[1])
    used = table[table.any(axis=1)]
    brightest = used[:, -1:]
    return len(used) > 0 and bool(np.all(np.abs(used - even * brightest) <= _NEAR * brightest))
