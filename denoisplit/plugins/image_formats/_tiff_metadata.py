"""What TIFF files say about their pixels: OME-XML, ImageJ's and tifffile's descriptions, resolutions."""

from pathlib import Path
from typing import Any
from xml.parsers import expat

import attrs
import tifffile

from denoisplit.core.errors import ImageError
from denoisplit.core.images.axes import SPATIAL
from denoisplit.core.images.interfaces import Image, ImageLayout, PixelSize, TimeInterval
from denoisplit.core.images.layout import channel_count, check_layout, described
from denoisplit.core.images.names import known_names
from denoisplit.core.images.physical import known_interval, known_size
from denoisplit.plugins.image_formats._tiff_pages import Pixels, reading

_MICRONS_PER_CENTIMETRE = 1e4
_NO_UNIT = ("", "pixel", "pixels", "inch")


def read_tiff(path: Path, axes: str | None) -> Image:
    """Open a TIFF file of any sort: what it says about itself counts, not its name.

    Raises:
        ImageError: missing, truncated, unreadable, RGB or palette file, or axes that do not fit.
    """
    with reading(path, axes) as pixels:
        said = pixels.remark
        image = described(pixels.data, pixels.axes, said, str(path), overridden=axes is not None)
        ome = _first_image(pixels.tif.ome_metadata or "")
        # ImageJ drops our remark when it saves; programs that write OME keep it and may change the size.
        own = "pixel_size" in said and not ome and axes is None
        return attrs.evolve(
            image,
            channel_names=_ome_names(pixels, ome) if ome else _labels(pixels),
            pixel_size=image.pixel_size if own else _ome_size(pixels, ome) if ome else _pixel_size(pixels),
            time_interval=_ome_interval(ome) if ome else _frame_interval(pixels),
        )


def stored_axes(layout: ImageLayout, path: Path) -> str:
    """The axes in the order of a hyperstack, ``tzcyx``; samples, ``s``, are to be stored as time points.

    Raises:
        ImageError: both samples and time, or a layout whose parts do not fit each other.
    """
    check_layout(layout, str(path))
    if "s" in layout.axes and "t" in layout.axes:
        raise ImageError(
            f"{path}: TIFF has no axis for samples besides time (got axes {layout.axes!r}). "
            f"Write one time each, or write .zarr, .h5 or .npz."
        )
    return "".join(letter for letter in "tszcyx" if letter in layout.axes)


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


def _ome_names(pixels: Pixels, ome: list[_Element]) -> tuple[str, ...]:
    names = [element.attributes.get("Name", "") for element in ome if element.name == "Channel"]
    return known_names(names) if len(names) == channel_count(pixels.axes, pixels.data.shape) else ()


def _ome_pixels(ome: list[_Element]) -> dict[str, str]:
    return next((element.attributes for element in ome if element.name == "Pixels"), {})


def _ome_size(pixels: Pixels, ome: list[_Element]) -> PixelSize | None:
    found = _ome_pixels(ome)
    letters = [letter.upper() for letter in pixels.axes if letter in SPATIAL]
    sizes = [found.get(f"PhysicalSize{letter}") for letter in letters]
    return known_size(sizes, [found.get(f"PhysicalSize{letter}Unit", "µm") for letter in letters])


def _ome_interval(ome: list[_Element]) -> TimeInterval | None:
    found = _ome_pixels(ome)
    return known_interval(found.get("TimeIncrement"), found.get("TimeIncrementUnit", "s"))


def _labels(pixels: Pixels) -> tuple[str, ...]:
    """Slice labels, where they repeat with the channels; ImageJ labels slices with file names as well."""
    labels = pixels.description.get("Labels", ())
    labels = (labels,) if isinstance(labels, str) else tuple(labels)
    channels = channel_count(pixels.axes, pixels.data.shape)
    names = labels[:channels]
    if len(names) < channels or any(label != names[i % channels] for i, label in enumerate(labels)):
        return ()
    return known_names(names)


def _frame_interval(pixels: Pixels) -> TimeInterval | None:
    """ImageJ's frame interval; a movie without one has an interval of 0 there."""
    return known_interval(pixels.description.get("finterval"), pixels.description.get("tunit", "s"))


def _pixel_size(pixels: Pixels) -> PixelSize | None:
    """From ImageJ's description, or from a resolution per centimetre.

    A resolution per inch is not used: most programs write the 72 dots per inch of a screen there.
    """
    tags = pixels.tif.pages.first.tags
    if "XResolution" not in tags or "YResolution" not in tags:
        return None
    description = pixels.description
    unit = str(description.get("unit", ""))
    scale = 1.0
    if unit in _NO_UNIT:
        if pixels.tif.is_imagej or tags.valueof("ResolutionUnit") != tifffile.RESUNIT.CENTIMETER:
            return None
        unit, scale = "µm", _MICRONS_PER_CENTIMETRE
    size: dict[str, object] = {"z": description.get("spacing", 1.0)}
    for letter, name in (("x", "XResolution"), ("y", "YResolution")):
        numerator, denominator = tags[name].value
        size[letter] = scale * denominator / numerator if numerator else None
    known = [size[letter] for letter in pixels.axes if letter in SPATIAL]
    return known_size(known, [_unescaped(unit)] * len(known))


def escaped(text: str) -> str:
    """ASCII, as ImageJ writes units."""
    return "".join(sign if sign.isascii() else f"\\u{ord(sign):04X}" for sign in text)


def _unescaped(unit: str) -> str:
    return unit.encode("ascii", "backslashreplace").decode("unicode_escape")


def imagej_time(interval: TimeInterval | None) -> dict[str, Any]:
    """ImageJ's words for the time between two frames."""
    if interval is None:
        return {}
    return {"finterval": interval.value, "tunit": escaped("sec" if interval.unit == "s" else interval.unit)}
