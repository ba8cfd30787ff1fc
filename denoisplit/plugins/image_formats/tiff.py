"""Plain TIFF files and ImageJ hyperstacks."""

from pathlib import Path
from typing import Any, final

import attrs
import tifffile

from denoisplit.core.errors import ImageError
from denoisplit.core.images.axes import SPATIAL
from denoisplit.core.images.interfaces import Image, ImageFormat, PixelSize
from denoisplit.plugins.image_formats._tiff_pages import (
    MICRONS,
    NOTE,
    Pixels,
    reading,
    sizes_by_axis,
    storable,
    write_whole,
)

_KINDS = ("uint8", "uint16", "float32")
_MOST_BYTES = 2**32 - 2**20
_MICRONS_PER_CENTIMETRE = 1e4


@final
class Tiff(ImageFormat):
    """TIFF as ImageJ, Fiji and most cameras write it. Written files open in ImageJ as hyperstacks."""

    @attrs.frozen(kw_only=True)
    class Options:
        """Nothing to choose."""

    suffixes = (".tiff", ".tif")

    def __init__(self, options: Options) -> None:
        self.options = options

    def open(self, path: Path, *, axes: str | None = None) -> Image:
        """Read the one image of a file; ``axes`` overrides what the file says.

        Pixels of 256 MiB and more are mapped into memory instead of read, where they lie in one piece.

        Raises:
            ImageError: missing, truncated, unreadable or RGB file, or axes that are unknown or do not fit.
        """
        with reading(path, axes) as pixels:
            return Image(
                data=pixels.data,
                axes=pixels.axes,
                channel_names=_channel_names(pixels),
                pixel_size=_pixel_size(pixels),
                source=str(path),
            )

    def write(self, path: Path, image: Image) -> None:
        """Write an ImageJ hyperstack with axes, pixel size, unit and channel labels; all or nothing.

        Raises:
            ImageError: pixels that ImageJ cannot hold (only uint8, uint16, float32 below 4 GiB), or no space.
        """
        data, axes = storable(image, path)
        if data.dtype.name not in _KINDS:
            raise ImageError(
                f"{path}: ImageJ holds pixels of {', '.join(_KINDS)} (got {data.dtype.name}). "
                f"Convert them, or write .ome.tif."
            )
        if data.nbytes > _MOST_BYTES:
            raise ImageError(f"{path}: ImageJ files end at 4 GiB (got {data.nbytes} bytes). Write .ome.tif.")
        # Written with an axis for colour samples, or tifffile takes a width of 1 for one.
        metadata: dict[str, Any] = {"axes": f"{axes.upper()}S", NOTE: image.axes.lower()}
        channels = data.shape[axes.index("c")] if "c" in axes else 1
        if image.channel_names:
            planes = data.size // (data.shape[-1] * data.shape[-2])
            metadata["Labels"] = list(image.channel_names) * (planes // channels)
        if channels > 1:
            metadata["mode"] = "composite"
        size, resolution = sizes_by_axis(image), None
        if image.pixel_size is not None:
            resolution = (1 / size["x"], 1 / size["y"])
            metadata["unit"] = _escaped(image.pixel_size.unit)
            metadata |= {"spacing": size["z"]} if "z" in size else {}
        write_whole(
            path,
            lambda temporary: tifffile.imwrite(
                temporary,
                data[..., None],
                imagej=True,
                photometric="minisblack",
                metadata=metadata,
                resolution=resolution,
            ),
        )


def _channel_names(pixels: Pixels) -> tuple[str, ...]:
    """Slice labels, where they repeat with the channels; ImageJ labels slices with file names as well."""
    labels = (pixels.tif.imagej_metadata or {}).get("Labels", ())
    labels = (labels,) if isinstance(labels, str) else tuple(labels)
    channels = pixels.data.shape[pixels.axes.index("c")] if "c" in pixels.axes else 1
    names = labels[:channels]
    if len(names) < channels or any(label != names[i % channels] for i, label in enumerate(labels)):
        return ()
    return names


def _pixel_size(pixels: Pixels) -> PixelSize | None:
    """From ImageJ's description, or from a resolution per centimetre.

    A resolution per inch is not used: most programs write the 72 dots per inch of a screen there.
    """
    tags = pixels.tif.pages.first.tags
    if "XResolution" not in tags or "YResolution" not in tags:
        return None
    description = pixels.tif.imagej_metadata or {}
    unit = str(description.get("unit", ""))
    scale = 1.0
    if unit in ("", "pixel", "inch"):
        if description or tags.valueof("ResolutionUnit") != tifffile.RESUNIT.CENTIMETER:
            return None
        unit, scale = "µm", _MICRONS_PER_CENTIMETRE
    size = {"z": float(description.get("spacing", 1.0))}
    for letter, name in (("x", "XResolution"), ("y", "YResolution")):
        numerator, denominator = tags[name].value
        if not numerator:
            return None
        size[letter] = scale * denominator / numerator
    known = tuple(size[letter] for letter in pixels.axes if letter in SPATIAL)
    return PixelSize(known, "µm" if unit.lower() in MICRONS else _unescaped(unit))


def _escaped(unit: str) -> str:
    return "".join(sign if sign.isascii() else f"\\u{ord(sign):04X}" for sign in unit)


def _unescaped(unit: str) -> str:
    return unit.encode("ascii", "backslashreplace").decode("unicode_escape")
