"""The metadata of OME-Zarr 0.1 to 0.5 for reading: broken metadata that is not needed is left out."""

import math
import re
from collections.abc import Sequence
from typing import Any, Final

from denoisplit.core.errors import ImageError
from denoisplit.core.images.axes import SPATIAL, letter_of
from denoisplit.core.images.channel_names import known_names
from denoisplit.core.images.physical import known_interval, known_size, number
from denoisplit.plugins.image_formats._ome_zarr_metadata import REMARK

_OLDEST_AXES: Final = "tczyx"
_KNOWN: Final = re.compile(r"0\.[1-5](?![0-9])")


def multiscale(node: Any) -> dict[str, Any]:
    """Return the first multiscale image of a group, empty where there is none."""
    found = _listed(_ome(node).get("multiscales"))
    return found[0] if found else {}


def image_paths(node: Any, inside: str, where: str) -> list[str]:
    """Return the paths of the OME-Zarr images of a group: itself, or those of a well, plate or collection.

    Wells that a plate lists need not be there; the images that a well lists do.

    Raises:
        ImageError: an unknown version, or a well without any of its images.
    """
    said = _ome(node)
    _check_version(said, where)
    if multiscale(node):
        return [inside]

    def below(name: str) -> str:
        return f"{inside}/{name}".strip("/")

    well, plate = said.get("well"), said.get("plate")
    if isinstance(well, dict):
        return [below(str(image.get("path"))) for image in _listed(well.get("images"))]
    if isinstance(plate, dict):
        wells = [str(well.get("path")) for well in _listed(plate.get("wells"))]
        there = [name for name in wells if name in node]
        if wells and not there:
            raise ImageError(
                f"{where}: none of the wells that the plate lists is there (got {', '.join(wells[:9])}). "
                f"Copy it again."
            )
        return [path for name in there for path in image_paths(node[name], below(name), f"{where}/{name}")]
    if "bioformats2raw.layout" in said:
        names = sorted((name for name in node.group_keys() if name.isdecimal()), key=int)
        return [below(name) for name in names if multiscale(node[name])]
    return []


def read_multiscale(said: dict[str, Any], node: Any, where: str) -> tuple[Any, dict[str, Any]]:
    """Return the largest array of an image, and its metadata under the keys of our remark.

    Raises:
        ImageError: no array, or a missing one.
    """
    _check_version({**_ome(node), **said}, where)
    array, level = _largest(_listed(said.get("datasets")), node, where)
    listed = said.get("axes") if isinstance(said.get("axes"), list) else None
    axes = [axis if isinstance(axis, dict) else {"name": axis} for axis in listed or _OLDEST_AXES]
    letters = [letter_of(axis.get("name"), axis.get("type")) for axis in axes]
    made: dict[str, Any] = {"axes": "".join(letters)}
    sizes, units = _scale([level, said], len(axes)), [axis.get("unit") for axis in axes]
    space = [i for i, letter in enumerate(letters) if letter in SPATIAL]
    if known_size([sizes[i] for i in space], [units[i] for i in space]):
        made |= {"pixel_size": [sizes[i] for i in space], "unit": [units[i] for i in space]}
    time = letters.index("t") if "t" in letters else None
    if time is not None and known_interval(sizes[time], units[time]):
        made |= {"time_interval": sizes[time], "time_unit": units[time]}
    omero = _ome(node).get("omero")
    channels = omero.get("channels") if isinstance(omero, dict) else None
    if isinstance(channels, list):
        labels = [channel.get("label") if isinstance(channel, dict) else None for channel in channels]
        made |= {"channel_names": names} if (names := known_names(labels)) else {}
    own = dict(node.attrs).get(REMARK)
    if isinstance(own, dict):
        # Our remark holds what OME-Zarr cannot express.
        noted = {key: value for key, value in own.items() if key not in made or key == "axes"}
        made |= {**noted, "axes": made["axes"], "noted": own.get("axes", "")}
    return array, made


def _ome(node: Any) -> dict[str, Any]:
    """Return the metadata, which is one level deeper from version 0.5 on."""
    attributes = dict(node.attrs)
    inner = attributes.get("ome")
    return inner if isinstance(inner, dict) else attributes


def _listed(said: Any) -> list[dict[str, Any]]:
    return [one for one in said if isinstance(one, dict)] if isinstance(said, list) else []


def _check_version(said: dict[str, Any], where: str) -> None:
    version = said.get("version")
    if version is not None and not _KNOWN.match(str(version)):
        raise ImageError(
            f"{where}: unsupported version of OME-Zarr (got {version!r}, known 0.1 to 0.5). "
            f"Convert it to 0.5."
        )


def _largest(datasets: Sequence[dict[str, Any]], node: Any, where: str) -> tuple[Any, dict[str, Any]]:
    """Return the largest of the arrays, which need not be listed first, and its entry."""
    paths = [str(entry.get("path")) for entry in datasets]
    if not paths:
        raise ImageError(f"{where}: the OME-Zarr image names no array (got {datasets}). Check the file.")
    missing = [path for path in paths if path not in node]
    if missing:
        there = ", ".join(path for path in paths if path not in missing) or "none of them"
        raise ImageError(
            f"{where}: the array {missing[0]} of the image is missing (got {there}). Copy it again."
        )
    arrays = [(node[path], entry) for path, entry in zip(paths, datasets, strict=True)]
    return max(arrays, key=lambda found: math.prod(found[0].shape))


def _scale(said: Sequence[dict[str, Any]], count: int) -> list[float | None]:
    """Multiply the scales along every axis; None where there is none, or one is not a number."""
    sizes: list[float | None] = [None] * count
    for entry in said:
        for step in _listed(entry.get("coordinateTransformations")):
            scale = step.get("scale")
            if step.get("type") != "scale" or not isinstance(scale, list) or len(scale) != count:
                continue
            factors = [number(factor) for factor in scale]
            sizes = [
                None if factor is None else factor * (1.0 if size is None else size)
                for size, factor in zip(sizes, factors, strict=True)
            ]
    return sizes
