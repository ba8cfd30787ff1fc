"""OME-TIFF files."""

from pathlib import Path
from typing import Any, Literal, final
from xml.parsers import expat

import attrs
import tifffile
from attrs.validators import in_

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

_BIG = 2**32 - 2**25
_KINDS = ("int8", "int16", "int32", "uint8", "uint16", "uint32", "float32", "float64")


@final
class OmeTiff(ImageFormat):
    """TIFF with OME-XML, as Bio-Formats, QuPath and OMERO read it; files over 4 GiB become BigTIFF.

    Source: Goldberg et al., Genome Biology 2005; OME model 2016-06.
    """

    @attrs.frozen(kw_only=True)
    class Options:
        """How files are written.

        Attributes:
            compression: ``none``, or ``zlib`` (lossless).
        """

        compression: Literal["none", "zlib"] = attrs.field(default="none", validator=in_(("none", "zlib")))

    suffixes = (".ome.tiff", ".ome.tif")

    def __init__(self, options: Options) -> None:
        self.options = options

    def open(self, path: Path, *, axes: str | None = None) -> Image:
        """Read the one image of a file; ``axes`` overrides what the file says.

        Raises:
            ImageError: missing, truncated, unreadable or RGB file, or axes that are unknown or do not fit.
        """
        with reading(path, axes) as pixels:
            metadata = _first_image(pixels.tif.ome_metadata or "")
            return Image(
                data=pixels.data,
                axes=pixels.axes,
                channel_names=_channel_names(pixels, metadata),
                pixel_size=_pixel_size(pixels, metadata),
                source=str(path),
            )

    def write(self, path: Path, image: Image) -> None:
        """Write axes, physical size with its unit and channel names; all or nothing.

        Raises:
            ImageError: pixels that OME cannot hold, or no space.
        """
        data, axes = storable(image, path)
        if data.dtype.name not in _KINDS:
            raise ImageError(
                f"{path}: OME holds pixels of {', '.join(_KINDS)} (got {data.dtype.name}). Convert them."
            )
        metadata: dict[str, Any] = {"axes": axes.upper(), "Description": f"{NOTE}={image.axes.lower()}"}
        if image.channel_names:
            metadata["Channel"] = {"Name": list(image.channel_names)}
        for letter, size in sizes_by_axis(image).items():
            metadata[f"PhysicalSize{letter.upper()}"] = size
            metadata[f"PhysicalSize{letter.upper()}Unit"] = (
                image.pixel_size.unit if image.pixel_size else "µm"
            )
        compression = None if self.options.compression == "none" else self.options.compression
        write_whole(
            path,
            lambda temporary: tifffile.imwrite(
                temporary,
                data,
                ome=True,
                bigtiff=data.nbytes > _BIG,
                photometric="minisblack",
                compression=compression,
                metadata=metadata,
            ),
        )


@attrs.frozen
class _Element:
    name: str
    attributes: dict[str, str]


def _first_image(xml: str) -> list[_Element]:
    """Elements of the first image with their attributes, in the order of the file."""
    elements: list[_Element] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        elements.append(_Element(name.rpartition(":")[2], attributes))

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    if xml:
        parser.Parse(xml, True)
    images = [i for i, element in enumerate(elements) if element.name == "Image"]
    return elements[images[0] : images[1] if len(images) > 1 else None] if images else []


def _channel_names(pixels: Pixels, metadata: list[_Element]) -> tuple[str, ...]:
    names = [element.attributes.get("Name", "") for element in metadata if element.name == "Channel"]
    count = pixels.data.shape[pixels.axes.index("c")] if "c" in pixels.axes else 1
    if not any(names) or len(names) != count:
        return ()
    return tuple(name or f"channel {i}" for i, name in enumerate(names))


def _pixel_size(pixels: Pixels, metadata: list[_Element]) -> PixelSize | None:
    """Physical size, None when it is missing along an axis or the units of the axes differ."""
    found = next((element.attributes for element in metadata if element.name == "Pixels"), {})
    letters = [letter.upper() for letter in pixels.axes if letter in SPATIAL]
    if any(f"PhysicalSize{letter}" not in found for letter in letters):
        return None
    units = {found.get(f"PhysicalSize{letter}Unit", "µm") for letter in letters}
    if len(units) != 1:
        return None
    unit = units.pop()
    size = tuple(float(found[f"PhysicalSize{letter}"]) for letter in letters)
    return PixelSize(size, "µm" if unit.lower() in MICRONS else unit)
