"""TIFF files as images: their pixels and metadata."""

from pathlib import Path
from typing import Final

import attrs
import tifffile

from denoisplit.core.errors import ImageError
from denoisplit.core.images.axes import SPATIAL
from denoisplit.core.images.bases import Image, ImageFormat, ImageLayout, IntensityScale, PixelSize
from denoisplit.core.images.channel_names import known_names
from denoisplit.core.images.layout import channel_count, check_layout, described
from denoisplit.core.images.lazy import at_hand
from denoisplit.core.images.physical import known_interval, known_scale, known_size, number
from denoisplit.plugins.image_formats._several import Part, joined
from denoisplit.plugins.image_formats._tiff_pages import Found, as_noted, first_of_set, reading, remark_of
from denoisplit.plugins.image_formats._tiff_said import Said, description_of, said_by_file, said_by_ome

_LOSSY: Final = (
    tifffile.COMPRESSION.OJPEG,
    tifffile.COMPRESSION.JPEG,
    tifffile.COMPRESSION.ALT_JPEG,
    tifffile.COMPRESSION.JPEG_LOSSY,
    tifffile.COMPRESSION.JPEG_2000_LOSSY,
)


class TiffFormat(ImageFormat):
    """A kind of TIFF; all are read alike, as files are recognised by their contents, not by their names."""

    def open(self, path: Path, *, axes: str | None = None) -> Image:
        """Read the image of a file at full size; several that are alike become an axis ``s``."""
        where = str(path)
        with reading(path, axes) as (tif, images):
            parts = [_part(tif, image) for image in images]
            names = [image.name or f"image {i}" for i, image in enumerate(images)]
            named = list(zip(names, parts, strict=True))
            data, letters = joined(named, where, axes, "Save one file for each.")
            noted = remark_of(tif, description_of(tif))
            pixels, letters = as_noted(at_hand(data), letters, noted, axes)
            image = described(pixels, letters, noted, where, overridden=axes is not None)
            channels = channel_count(image.axes, image.data.shape)
            said = _said(tif, images[0], channels)
            # ImageJ drops our remark when it saves; programs that write OME keep it and may change the size.
            own = "pixel_size" in noted and images[0].ome is None and axes is None
            return attrs.evolve(
                image,
                channel_names=known_names(said.names) if len(said.names) == channels else (),
                pixel_size=image.pixel_size if own else _size(said, image.axes),
                time_interval=known_interval(*said.interval) or image.time_interval,
                intensity_scale=image.intensity_scale or _scale(said, channels),
                lossy="JPEG" if tif.pages.first.compression in _LOSSY else "",
            )

    def first_of_set(self, path: Path) -> Path:
        """Return the file with the first plane of an image in several files."""
        return first_of_set(path)


def _said(tif: tifffile.TiffFile, image: Found, channels: int) -> Said:
    return said_by_file(tif, channels) if image.ome is None else said_by_ome(image.ome)


def _size(said: Said, axes: str) -> PixelSize | None:
    known = dict(said.lengths)
    sides = [number(known[letter][0]) for letter in "yx" if letter in known]
    if any(side is not None and side < 0 for side in sides):  # a negative number is no size
        known = {letter: length for letter, length in known.items() if letter not in "yx"}
    lengths = [known.get(letter, (None, None)) for letter in axes if letter in SPATIAL]
    return known_size([size for size, _ in lengths], [unit for _, unit in lengths])


def _scale(said: Said, channels: int) -> IntensityScale | None:
    return None if said.scale is None else known_scale(*([one] * channels for one in said.scale))


def _part(tif: tifffile.TiffFile, image: Found) -> Part:
    """Return an image for comparison with others."""
    said = _said(tif, image, 1)
    size = _size(said, image.axes)
    letters = [letter for letter in image.axes if letter in SPATIAL]
    microns = zip(letters, size.sizes_in("µm"), strict=True) if size else ()
    return Part(
        data=image.data,
        axes=image.axes,
        sizes={letter: step for letter, step in microns if step is not None},
        channel_names=known_names(said.names) if image.ome else (),
    )


def stored_axes(layout: ImageLayout, path: Path) -> str:
    """Return the axes in the order of a hyperstack, ``tzcyx``; samples, ``s``, are stored as time points.

    Raises:
        ImageError: both samples and time, or an inconsistent layout.
    """
    check_layout(layout, str(path))
    if "s" in layout.axes and "t" in layout.axes:
        raise ImageError(
            f"{path}: TIFF has no axis for samples besides time (got axes {layout.axes!r}). "
            f"Write one time each, or write .zarr, .h5 or .npz."
        )
    return "".join(letter for letter in "tszcyx" if letter in layout.axes)
