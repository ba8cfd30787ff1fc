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


def check_page(page: Page, path: Path) -> None:
    """Refuse a page that claims more pixels than the file has bytes for; huge claims take no longer.

    Raises:
        ImageError: strips or tiles that are missing, empty, too short or beyond the end of the file.
    """
    key = page.keyframe
    if key is None:
        raise ImageError(f"{path}: a page is not described (got page {page.index}). Copy the file again.")
    where, shape = f"{path}: page {page.index}", tuple(key.shape)
    claimed, size = math.prod(key.chunked), page.parent.filehandle.size
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
    plain = key.compression == tifffile.COMPRESSION.NONE and not key.is_contiguous
    if plain and any(length < least for (_, length), least in zip(found, _least(key, claimed), strict=True)):
        raise ImageError(
            f"{where} has fewer bytes than its pixels take (got {sum(length for _, length in found)} for "
            f"shape {shape}). Copy the file again."
        )


def _least(key: tifffile.TiffPage, pieces: int) -> list[int]:
    """Return the bytes of every uncompressed strip or tile."""
    samples = key.samplesperpixel if key.planarconfig == tifffile.PLANARCONFIG.CONTIG else 1
    wide, high = (key.tilewidth, key.tilelength) if key.is_tiled else (key.imagewidth, key.rowsperstrip)
    row = math.ceil(wide * samples * key.bitspersample / 8)
    strips = math.ceil(key.imagelength / high)
    rest = high if key.is_tiled else key.imagelength - (strips - 1) * high
    depth = max(key.tiledepth, 1) if key.is_tiled else 1
    rows = [rest if piece % strips == strips - 1 else high for piece in range(pieces)]
    return [depth * row * count for count in rows]


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


def check_claimed(tif: tifffile.TiffFile, path: Path) -> None:
    """Refuse a stack of ImageJ that claims more planes than the file has bytes for.

    Raises:
        ImageError: it is truncated.
    """
    page, said = tif.pages.first, tif.imagej_metadata or {}
    counts = {key: said.get(key, 1) for key in ("channels", "slices", "frames", "images")}
    counts = {key: count if isinstance(count, int) and count > 0 else 1 for key, count in counts.items()}
    planes = max(math.prod(counts.values()) // counts["images"], counts["images"])
    if len(tif.pages) == 1 and planes > 1 and page.is_contiguous:
        samples = page.samplesperpixel if page.samplesperpixel == said.get("channels") else 1
        needed = page.dataoffsets[0] + page.nbytes * (planes // samples)
        if needed > tif.filehandle.size:
            raise truncated(path, tif.filehandle.size, needed)


def check_alone(page: tifffile.TiffPage, pages: int, path: Path) -> None:
    """Refuse a file with one page in its list but the bytes of more after it.

    Raises:
        ImageError: tells how many bytes there are.
    """
    rest = page.parent.filehandle.size - page.dataoffsets[0] - page.nbytes
    if pages == 1 and page.is_contiguous and rest >= page.nbytes:
        raise ImageError(
            f"{path}: the number of planes cannot be read (got {rest} bytes after the first). "
            f"Save the image again."
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
    return len(used) > 0 and bool(np.all(np.abs(used - even * used[:, -1:]) <= _NEAR * used[:, -1:]))
