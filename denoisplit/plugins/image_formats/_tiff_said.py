"""Metadata in TIFF files, which each program writes in its own way."""

import contextlib
import struct
from collections.abc import Mapping
from typing import Any, Final
from xml.etree.ElementTree import ParseError

import attrs
import numpy as np
import tifffile
from tifffile.tifffile import metaseries_description_metadata

from denoisplit.core.images.physical import number, rounded
from denoisplit.core.images.physical_units import IN_MICRONS
from denoisplit.plugins.image_formats._ome_xml import OmeImage

_MICRONS_PER_CENTIMETRE: Final = 1e4
_SCREEN: Final = ("", "pixel", "pixels", "inch")
_SIGNED: Final = ("uint8", "uint16")
_STRAIGHT_LINE: Final = 0
_SAME: Final = 0.01


FAULTS: Final = (
    ArithmeticError,
    AttributeError,
    LookupError,
    ParseError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    tifffile.TiffFileError,
)
"""Errors that tifffile raises for metadata that it cannot read."""


@attrs.frozen(kw_only=True)
class Said:
    """Metadata of an image as found in the file, unchecked.

    Attributes:
        lengths: size of a pixel and its unit, by the letters of the spatial axes.
        names: names of the channels.
        interval: time between two frames, and its unit.
        scale: factor and offset that turn stored numbers into counts.
    """

    lengths: Mapping[str, tuple[object, object]] = attrs.field(factory=dict)
    names: tuple[object, ...] = ()
    interval: tuple[object, object] = (None, "s")
    scale: tuple[float, float] | None = None


def said_by_ome(image: OmeImage) -> Said:
    """Return the metadata in OME-XML."""
    pixels = image.pixels
    return Said(
        lengths={
            letter.lower(): (
                pixels.get(f"PhysicalSize{letter}"),
                pixels.get(f"PhysicalSize{letter}Unit", "µm"),
            )
            for letter in "ZYX"
        },
        names=tuple(channel.get("Name", "") for channel in image.channels),
        interval=(pixels.get("TimeIncrement"), pixels.get("TimeIncrementUnit", "s")),
    )


def said_by_file(tif: tifffile.TiffFile, channels: int) -> Said:
    """Return the metadata of ImageJ, LSM, STK or MetaXpress, else the resolution of the first page.

    Entries that cannot be read are left out.

    Args:
        tif: the open file.
        channels: number of channels of the image.
    """
    with contextlib.suppress(*FAULTS):
        if tif.is_imagej:
            return _said_by_imagej(tif, channels)
        if tif.is_lsm:
            return _said_by_lsm(tif.lsm_metadata or {})
        if tif.is_stk:
            return _said_by_stk(tif.stk_metadata or {})
        if tif.pages.first.description.startswith("<MetaData>"):
            return _said_by_metaxpress(metaseries_description_metadata(tif.pages.first.description))
        return _said_by_page(tif, channels)
    return Said()


def description_of(tif: tifffile.TiffFile) -> dict[str, Any]:
    """Return the description by ImageJ or tifffile; empty where there is none or it cannot be read."""
    with contextlib.suppress(*FAULTS):
        return dict(tif.imagej_metadata or (tif.shaped_metadata or ({},))[0])
    return {}


def _said_by_imagej(tif: tifffile.TiffFile, channels: int) -> Said:
    said = tif.imagej_metadata or {}
    unit = str(said.get("unit", ""))
    units = {"x": unit, "y": str(said.get("yunit", unit)), "z": str(said.get("zunit", unit))}
    depth = number(said.get("spacing", 1.0))
    sizes = {"z": abs(depth) if depth else None} | _resolutions(tif)
    return Said(
        lengths={a: (sizes[a], _unescaped(units[a])) for a in "zyx" if units[a] not in _SCREEN},
        names=_labels(said, channels),
        interval=(said.get("finterval"), _unescaped(str(said.get("tunit", "s")))),
        scale=_calibration(said, tif.pages.first.dtype),
    )


def _calibration(said: dict[str, Any], dtype: object) -> tuple[float, float] | None:
    """Return ImageJ's linear calibration; it stores signed 16-bit numbers shifted by 32768."""
    factor, offset = number(said.get("c1")), number(said.get("c0"))
    if said.get("cf") != _STRAIGHT_LINE or str(dtype) not in _SIGNED or not factor or offset is None:
        return None
    return factor, offset


def _labels(said: dict[str, Any], channels: int) -> tuple[object, ...]:
    """Return slice labels where they repeat with the channels; ImageJ also labels slices with file names."""
    labels = said.get("Labels", ())
    labels = (labels,) if isinstance(labels, str) else tuple(labels)
    names = labels[:channels]
    if len(names) < channels or any(label != names[i % channels] for i, label in enumerate(labels)):
        return ()
    return names


def _said_by_page(tif: tifffile.TiffFile, channels: int) -> Said:
    """Return a resolution per centimetre.

    A resolution per inch is ignored: most programs write the 72 dots per inch of a screen there.
    """
    said = (tif.shaped_metadata or ({},))[0]
    tags, lengths = tif.pages.first.tags, {}
    unit = str(said.get("unit", ""))
    if unit not in _SCREEN:  # our own files over 4 GiB, which have ImageJ's description
        depth = number(said.get("spacing", 1.0))
        sizes = {"z": abs(depth) if depth else None} | _resolutions(tif)
        lengths = {letter: (size, _unescaped(unit)) for letter, size in sizes.items()}
    elif tags.valueof("ResolutionUnit") == tifffile.RESUNIT.CENTIMETER:
        scale = _MICRONS_PER_CENTIMETRE
        lengths = {a: (size and scale * size, "µm") for a, size in _resolutions(tif).items()}
    return Said(
        lengths=lengths,
        names=_labels(said, channels),
        interval=(said.get("finterval"), _unescaped(str(said.get("tunit", "s")))),
    )


def _resolutions(tif: tifffile.TiffFile) -> dict[str, float | None]:
    """Return the units per pixel along y and x."""
    sizes: dict[str, float | None] = {}
    for letter in "yx":
        value = tif.pages.first.tags.valueof(f"{letter.upper()}Resolution")
        sizes[letter] = value[1] / value[0] if isinstance(value, tuple) and value[0] else None
    return sizes


def _said_by_lsm(said: dict[str, Any]) -> Said:
    colours = said.get("ChannelColors") or {}
    steps = {a: number(said.get(f"VoxelSize{a.upper()}")) for a in "zyx"}
    return Said(
        lengths={a: (step and rounded(step * IN_MICRONS["m"]), "µm") for a, step in steps.items()},
        names=tuple(colours.get("ColorNames", ())),
        interval=(said.get("TimeIntervall"), "s"),
    )


def _said_by_stk(said: dict[str, Any]) -> Said:
    unit = said.get("CalibrationUnits", "")
    lengths: dict[str, tuple[object, object]] = {}
    if said.get("SpatialCalibration") != 0:
        lengths = {a.lower(): (said.get(f"{a}Calibration"), unit) for a in "YX"}
    steps = np.abs(np.asarray(said.get("ZDistance", ()), np.float64))
    if steps.size and np.allclose(steps, step := np.median(steps), rtol=_SAME):
        lengths["z"] = (float(step), "µm")
    return Said(lengths=lengths)


def _said_by_metaxpress(said: dict[str, Any]) -> Said:
    plane = said.get("PlaneInfo", {})
    unit = plane.get("spatial-calibration-units", "")
    known = plane.get("spatial-calibration-state", True) is True
    return Said(
        lengths={a: (plane.get(f"spatial-calibration-{a}") if known else None, unit) for a in "yx"},
        names=(plane.get("_IllumSetting_", ""),),
    )


def _unescaped(unit: str) -> str:
    return unit.encode("ascii", "backslashreplace").decode("unicode_escape")
