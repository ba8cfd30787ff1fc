"""What a file has to keep of an image besides its pixels: checks, and the remark that formats write."""

import json
from pathlib import Path
from typing import Any, Final

from denoisplit.core.errors import ImageError
from denoisplit.core.images.axes import AXES, SPATIAL, parse_axes
from denoisplit.core.images.interfaces import (
    Image,
    ImageLayout,
    IntensityScale,
    LazyArray,
    PixelSize,
    TimeInterval,
)

MICRONS: Final = frozenset(
    {"um", "micron", "microns", "micrometer", "micrometre", "micrometers", "micrometres", "µm", "μm"}
)
"""Ways in which programs write the unit µm, in lower case."""

IN_MICRONS: Final = {"pm": 1e-6, "Å": 1e-4, "nm": 1e-3, "µm": 1.0, "mm": 1e3, "cm": 1e4, "m": 1e6}
"""Units of length in µm."""

_LENGTHS: Final = {
    "angstrom": "Å",
    "picometer": "pm",
    "nanometer": "nm",
    "micrometer": "µm",
    "millimeter": "mm",
    "centimeter": "cm",
    "meter": "m",
}
_TIMES: Final = {
    "nanosecond": "ns",
    "microsecond": "µs",
    "millisecond": "ms",
    "second": "s",
    "minute": "min",
    "hour": "h",
    "day": "d",
}
_SECONDS: Final = frozenset({"sec", "second", "seconds"})


def common_unit(unit: str) -> str:
    """Our sign for a unit of length or time, however a program writes it."""
    if unit.lower() in MICRONS:
        return "µm"
    if unit.lower() in _SECONDS:
        return "s"
    return {**_LENGTHS, **_TIMES}.get(unit, unit)


def unit_name(unit: str) -> str | None:
    """The English word for a unit, as OME-Zarr writes it; None for units that it does not know."""
    return {sign: name for name, sign in {**_LENGTHS, **_TIMES}.items()}.get(unit)


def check_layout(layout: ImageLayout, where: str) -> None:
    """Check that the parts of a layout fit each other.

    Raises:
        ImageError: axes, names, sizes or scales that do not fit the shape.
    """
    axes = parse_axes(layout.axes, layout.shape, where)
    if 0 in layout.shape:
        raise ImageError(
            f"{where}: an image needs pixels (got shape {layout.shape}). Check where it is from."
        )
    channels = channel_count(axes, layout.shape)
    names = layout.channel_names
    if len(names) > channels or ("c" in axes and names and len(names) != channels):
        raise ImageError(
            f"{where}: {channels} channels need {channels} names (got {names}). Name every channel once."
        )
    spatial = sum(letter in SPATIAL for letter in axes)
    if layout.pixel_size is not None and len(layout.pixel_size.size) != spatial:
        raise ImageError(
            f"{where}: the pixel size needs one number per spatial axis of {axes!r} "
            f"(got {layout.pixel_size.size}). Give them in the order of the axes."
        )
    scale = layout.intensity_scale
    if scale is not None and (len(scale.factor), len(scale.offset)) != (channels, channels):
        raise ImageError(
            f"{where}: the intensity scale needs one factor and one offset per channel "
            f"(got {scale.factor} and {scale.offset}). Give {channels} of each."
        )


def check_name(path: Path, read_only: tuple[str, ...], suffixes: tuple[str, ...]) -> None:
    """Check that files with this ending are written.

    Raises:
        ImageError: they are only read.
    """
    found = next((suffix for suffix in suffixes if path.name.lower().endswith(suffix)), "")
    if found in read_only:
        written = " or ".join(suffix for suffix in suffixes if suffix not in read_only) or ".ome.tif"
        raise ImageError(f"{path}: files with this ending are only read (got {found}). Write {written}.")


def channel_count(axes: str, shape: tuple[int, ...]) -> int:
    """Number of channels; an image without ``c`` has one."""
    return shape[axes.index("c")] if "c" in axes else 1


def check_dtype(layout: ImageLayout, where: str, kinds: tuple[str, ...], what: str, advice: str) -> None:
    """Check that a format can hold the pixels.

    Raises:
        ImageError: names the types that it can hold.
    """
    if layout.dtype.name not in kinds:
        raise ImageError(
            f"{where}: {what} holds pixels of {', '.join(kinds)} (got {layout.dtype.name}). {advice}"
        )


def remark(layout: ImageLayout) -> dict[str, Any]:
    """All of a layout but shape and type as plain values, for formats without a place for some of it."""
    made: dict[str, Any] = {"axes": layout.axes}
    if layout.channel_names:
        made["channel_names"] = list(layout.channel_names)
    if layout.pixel_size is not None:
        made |= {"pixel_size": list(layout.pixel_size.size), "unit": layout.pixel_size.unit}
    if layout.time_interval is not None:
        made |= {"time_interval": layout.time_interval.value, "time_unit": layout.time_interval.unit}
    if layout.intensity_scale is not None:
        made["factor"] = list(layout.intensity_scale.factor)
        made["offset"] = list(layout.intensity_scale.offset)
    return made


def remark_text(layout: ImageLayout) -> str:
    """``remark`` as one line of ASCII."""
    return json.dumps(remark(layout))


def parse_remark(text: str) -> dict[str, Any]:
    """The remark at the beginning of a text, empty where there is none."""
    try:
        found, _ = json.JSONDecoder().raw_decode(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def described(data: LazyArray, axes: str, said: dict[str, Any], source: str, *, overridden: bool) -> Image:
    """An image from its pixels and a remark; what does not fit the axes is left out.

    Args:
        data: pixels.
        axes: of ``data``.
        said: as ``remark`` makes it; other keys and broken values are passed over.
        source: of the image.
        overridden: whether ``axes`` are not those that ``said`` is about; only sizes by their number remain.
    """
    channels = channel_count(axes, tuple(data.shape))
    names = tuple(str(name) for name in _numbers_or_names(said.get("channel_names")))
    size = _floats(said.get("pixel_size"))
    factor, offset = _floats(said.get("factor")), _floats(said.get("offset"))
    interval = _floats([said.get("time_interval")])
    spatial = sum(letter in SPATIAL for letter in axes)
    return Image(
        data=data,
        axes=axes,
        channel_names=names if len(names) == channels else (),
        pixel_size=PixelSize(size, common_unit(str(said.get("unit", "µm"))))
        if len(size) == spatial
        else None,
        time_interval=(
            TimeInterval(interval[0], common_unit(str(said.get("time_unit", "s"))))
            if interval and ("t" in axes or not overridden)
            else None
        ),
        intensity_scale=(IntensityScale(factor, offset) if len(factor) == len(offset) == channels else None),
        source=source,
    )


def _numbers_or_names(values: Any) -> list[Any]:
    return list(values) if isinstance(values, list | tuple) else []


def _floats(values: Any) -> tuple[float, ...]:
    found = _numbers_or_names(values)
    if not found or not all(isinstance(v, int | float) and not isinstance(v, bool) for v in found):
        return ()
    return tuple(float(value) for value in found)


def axes_of(said: dict[str, Any], ndim: int) -> str | None:
    """The axes in a remark, None where they are missing or do not fit."""
    axes = str(said.get("axes", "")).lower()
    fits = len(axes) == len(set(axes)) == ndim and not set(axes) - set(AXES) and {"y", "x"} <= set(axes)
    return axes if fits else None
