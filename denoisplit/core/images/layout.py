"""Metadata of images in files: checks, and the remark that formats write for them."""

import json
from pathlib import Path
from typing import Any

from denoisplit.core.errors import ImageError
from denoisplit.core.images.axes import AXES, SPATIAL, ambiguous_axes, parse_axes
from denoisplit.core.images.bases import Image, ImageLayout, LazyArray
from denoisplit.core.images.channel_names import check_names, known_names
from denoisplit.core.images.physical import known_interval, known_scale, known_size

KINDS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64")
"""Types of pixels that formats for arrays of any kind write."""


def check_layout(layout: ImageLayout, where: str) -> None:
    """Check that the parts of a layout fit each other.

    Raises:
        ImageError: axes, names, sizes or scales do not fit the shape.
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
    check_names(names, where)
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
    """Check that files with this suffix can be written.

    Raises:
        ImageError: they can only be read.
    """
    found = next((suffix for suffix in suffixes if path.name.lower().endswith(suffix)), "")
    if found in read_only:
        written = " or ".join(suffix for suffix in suffixes if suffix not in read_only) or ".ome.tif"
        raise ImageError(f"{path}: files with this ending are only read (got {found}). Write {written}.")


def channel_count(axes: str, shape: tuple[int, ...]) -> int:
    """Return the number of channels; an image without ``c`` has one."""
    return shape[axes.index("c")] if "c" in axes else 1


def check_dtype(layout: ImageLayout, where: str, kinds: tuple[str, ...], what: str, advice: str) -> None:
    """Check that a format can hold the pixels.

    Raises:
        ImageError: it cannot; names the types that it can hold.
    """
    if layout.dtype.name not in kinds:
        raise ImageError(
            f"{where}: {what} holds pixels of {', '.join(kinds)} (got {layout.dtype.name}). {advice}"
        )


def remark(layout: ImageLayout) -> dict[str, Any]:
    """Return a layout without shape and type as plain values, for formats that lack a place for some."""
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
    """Return ``remark`` as one line of ASCII."""
    return json.dumps(remark(layout))


def parse_remark(text: str) -> dict[str, Any]:
    """Return the remark at the beginning of a text; empty if there is none."""
    try:
        found, _ = json.JSONDecoder().raw_decode(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def described(data: LazyArray, axes: str, said: dict[str, Any], source: str, *, overridden: bool) -> Image:
    """Build an image from its pixels and a remark; values that do not fit the axes are left out.

    Args:
        data: pixels.
        axes: axes of ``data``.
        said: a remark as made by ``remark``; other keys and invalid values are ignored.
        source: source of the image.
        overridden: whether ``axes`` differ from those in ``said``; then pixel sizes are kept only if their
            number fits, and the time interval only with an axis ``t``.
    """
    channels = channel_count(axes, tuple(data.shape))
    names = known_names(_listed(said.get("channel_names")))
    size, unit = _listed(said.get("pixel_size")), said.get("unit", "µm")
    factor, offset = _listed(said.get("factor")), _listed(said.get("offset"))
    spatial = sum(letter in SPATIAL for letter in axes)
    units = unit if isinstance(unit, list) else [unit] * spatial
    timed = "t" in axes or not overridden
    return Image(
        data=data,
        axes=axes,
        channel_names=names if len(names) == channels else (),
        pixel_size=known_size(size, units) if len(size) == len(units) == spatial else None,
        time_interval=known_interval(said.get("time_interval"), said.get("time_unit", "s"))
        if timed
        else None,
        intensity_scale=known_scale(factor, offset) if len(factor) == channels else None,
        source=source,
    )


def _listed(values: Any) -> list[Any]:
    return list(values) if isinstance(values, list | tuple) else []


def settled_axes(given: str | None, said: dict[str, Any], shape: tuple[int, ...], where: str) -> str:
    """Return the axes that the caller gave, else those in a remark; two axes without a name are y and x.

    Raises:
        ImageError: the axes are unknown, or do not fit the shape.
    """
    if given is not None:
        return parse_axes(given, shape, where)
    known = axes_of(said, len(shape)) or ("yx" if len(shape) == 2 else None)
    if known is None:
        raise ambiguous_axes(shape, where)
    return known


def axes_of(said: dict[str, Any], ndim: int) -> str | None:
    """Return the axes in a remark; None if they are missing or do not fit."""
    axes = str(said.get("axes", "")).lower()
    fits = len(axes) == len(set(axes)) == ndim and not set(axes) - set(AXES) and {"y", "x"} <= set(axes)
    return axes if fits else None
