"""The metadata of OME-Zarr: reading versions 0.1 to 0.5, and writing 0.4 and 0.5."""

from typing import Any, Final

from denoisplit.core.errors import ImageError
from denoisplit.core.images.axes import SPATIAL, sizes_by_axis
from denoisplit.core.images.interfaces import ImageLayout
from denoisplit.core.images.layout import remark
from denoisplit.core.images.names import known_names
from denoisplit.core.images.physical import known_interval, known_size, number
from denoisplit.core.images.units import unit_name

REMARK: Final = "denoisplit"

_OLDEST_AXES: Final = "tczyx"
_KINDS: Final = {"t": "time", "c": "channel"}
_COLOURS: Final = ("00FF00", "FF00FF", "00FFFF", "FFFF00", "FF0000", "0000FF", "FFFFFF")


def _ome(attributes: dict[str, Any]) -> dict[str, Any]:
    """The metadata, which is one level deeper from version 0.5 on."""
    inner = attributes.get("ome")
    return inner if isinstance(inner, dict) else attributes


def multiscale(node: Any) -> dict[str, Any]:
    """The first multiscale image of a group, empty where there is none."""
    found = _ome(dict(node.attrs)).get("multiscales")
    return found[0] if isinstance(found, list) and found else {}


def image_paths(node: Any, inside: str) -> list[str]:
    """Paths of the OME-Zarr images of a group: itself, those of a well or plate, or a collection's."""
    if multiscale(node):
        return [inside]
    said = _ome(dict(node.attrs))

    def below(name: str) -> str:
        return f"{inside}/{name}".strip("/")

    if "well" in said:
        return [below(str(image["path"])) for image in said["well"]["images"]]
    if "plate" in said:
        wells = [str(well["path"]) for well in said["plate"]["wells"]]
        return [path for well in wells for path in image_paths(node[well], below(well))]
    if "bioformats2raw.layout" in said:
        listed = sorted((name for name in node.group_keys() if name.isdecimal()), key=int)
        return [below(name) for name in listed if multiscale(node[name])]
    return []


def read_multiscale(said: dict[str, Any], node: Any, where: str) -> dict[str, Any]:
    """An image in the words of our remark, with the path of its largest array as ``array``.

    Raises:
        ImageError: no array in it.
    """
    if not said.get("datasets"):
        raise ImageError(f"{where}: the OME-Zarr image names no array (got {said}). Check the file.")
    first = said["datasets"][0]
    listed = said.get("axes") or list(_OLDEST_AXES)
    axes = [axis if isinstance(axis, dict) else {"name": axis} for axis in listed]
    letters = [str(axis["name"]).lower()[:1] for axis in axes]
    made: dict[str, Any] = {"array": str(first["path"]), "axes": "".join(letters)}
    scales = [*first.get("coordinateTransformations", ()), *said.get("coordinateTransformations", ())]
    sizes: list[float | None] = [None] * len(axes)
    for step in scales:
        if step.get("type") == "scale" and len(step.get("scale", ())) == len(axes):
            factors = [number(factor) for factor in step["scale"]]
            sizes = [
                None if factor is None else factor * (1.0 if size is None else size)
                for size, factor in zip(sizes, factors, strict=True)
            ]
    units = [axis.get("unit") for axis in axes]
    space = [i for i, letter in enumerate(letters) if letter in SPATIAL]
    if known_size([sizes[i] for i in space], [units[i] for i in space]):
        made |= {"pixel_size": [sizes[i] for i in space], "unit": [units[i] for i in space]}
    time = letters.index("t") if "t" in letters else None
    if time is not None and known_interval(sizes[time], units[time]):
        made |= {"time_interval": sizes[time], "time_unit": units[time]}
    attributes = dict(node.attrs)
    channels = (_ome(attributes).get("omero") or {}).get("channels") or ()
    if names := known_names([channel.get("label") for channel in channels]):
        made["channel_names"] = names
    own = attributes.get(REMARK)
    if isinstance(own, dict):
        # What OME-Zarr has no place for, and what it has a place for but cannot say.
        noted = {key: value for key, value in own.items() if key not in made or key == "axes"}
        made |= {**noted, "axes": made["axes"], "noted": own.get("axes", "")}
    return made


def stored_axes(layout: ImageLayout, where: str) -> str:
    """Axes in the order that OME-Zarr asks for; samples, ``s``, are stored as time points.

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
    layout: ImageLayout, stored: str, steps: list[dict[str, float]], version: str, highest: float
) -> dict[str, Any]:
    """Attributes of the group of an image.

    Args:
        layout: of the image.
        stored: its axes in the order of the file.
        steps: for every array, the largest first, pixels of the largest per pixel, by axis.
        version: of OME-Zarr.
        highest: upper end of the range of intensities to display.
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
        window = {"start": 0.0, "end": highest, "min": 0.0, "max": highest}
        made["omero"] = {
            "channels": [
                {"label": name, "color": _COLOURS[i % len(_COLOURS)], "window": window, "active": True}
                for i, name in enumerate(layout.channel_names)
            ]
        }
    if version == "0.5":
        return {"ome": {"version": version, **made}, REMARK: remark(layout)}
    image["version"] = version
    if "omero" in made:
        made["omero"]["version"] = version
    return {**made, REMARK: remark(layout)}
