"""The metadata of OME-Zarr 0.4 and 0.5 for writing."""

from collections.abc import Sequence
from typing import Any, Final

from denoisplit.core.errors import ImageError
from denoisplit.core.images.axes import sizes_by_axis
from denoisplit.core.images.bases import ImageLayout
from denoisplit.core.images.layout import remark
from denoisplit.core.images.physical_units import unit_name

REMARK: Final = "denoisplit"

_KINDS: Final = {"t": "time", "c": "channel"}
_COLOURS: Final = ("00FF00", "FF00FF", "00FFFF", "FFFF00", "FF0000", "0000FF", "FFFFFF")


def stored_axes(layout: ImageLayout, where: str) -> str:
    """Return the axes in the order that OME-Zarr requires; samples, ``s``, are stored as time points.

    Raises:
        ImageError: both samples and time.
    """
    if "s" in layout.axes and "t" in layout.axes:
        raise ImageError(
            f"{where}: OME-Zarr has no axis for samples besides time (got axes {layout.axes!r}). "
            f"Write one time each, or write .zarr, .h5 or .npz."
        )
    return "".join(letter for letter in "stczyx" if letter in layout.axes)


def metadata(
    layout: ImageLayout,
    stored: str,
    steps: list[dict[str, float]],
    version: str,
    ranges: Sequence[tuple[float, float]],
) -> dict[str, Any]:
    """Return the attributes of the group of an image.

    Args:
        layout: layout of the image.
        stored: its axes in the order of the file.
        steps: pixels of the largest array per pixel of each array, by axis, the largest array first.
        version: version of OME-Zarr.
        ranges: range of intensities to display, one per channel.
    """
    sizes = sizes_by_axis(layout)
    length = unit_name(layout.pixel_size.unit) if layout.pixel_size else None
    interval = layout.time_interval
    time = unit_name(interval.unit) if interval else None
    axes = []
    for letter in stored.replace("s", "t"):
        axis = {"name": letter, "type": _KINDS.get(letter, "space")}
        unit = time if letter == "t" else length if letter in sizes else None
        axes.append({**axis, "unit": unit} if unit else axis)
    finest = [interval.value if interval and letter == "t" else sizes.get(letter, 1.0) for letter in stored]
    datasets = []
    for level, step in enumerate(steps):
        factors = [step.get(letter, 1.0) for letter in stored]
        shift = [size * (factor - 1) / 2 for size, factor in zip(finest, factors, strict=True)]
        scale = [size * factor for size, factor in zip(finest, factors, strict=True)]
        moves: list[dict[str, Any]] = [{"type": "scale", "scale": scale}]
        if any(shift):
            moves.append({"type": "translation", "translation": shift})
        datasets.append({"path": str(level), "coordinateTransformations": moves})
    image: dict[str, Any] = {"name": "image", "axes": axes, "datasets": datasets}
    if len(steps) > 1:
        image |= {"type": "mean"}
    made: dict[str, Any] = {"multiscales": [image]}
    if layout.channel_names:
        made["omero"] = {
            "channels": [
                {
                    "label": name,
                    "color": _COLOURS[i % len(_COLOURS)],
                    "window": {"start": low, "end": high, "min": low, "max": high},
                    "active": True,
                }
                for i, (name, (low, high)) in enumerate(zip(layout.channel_names, ranges, strict=True))
            ]
        }
    if version == "0.5":
        return {"ome": {"version": version, **made}, REMARK: remark(layout)}
    image["version"] = version
    if "omero" in made:
        made["omero"]["version"] = version
    return {**made, REMARK: remark(layout)}
