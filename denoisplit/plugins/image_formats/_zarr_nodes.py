"""Images in Zarr folders, plain arrays and OME-Zarr: finding them and opening their pixels."""

import os
import re
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np

from denoisplit.core.arrays import AnyArray, Window
from denoisplit.core.errors import ImageError
from denoisplit.core.images.axes import letter_of, reorder, reordered_size
from denoisplit.core.images.bases import Image
from denoisplit.core.images.chunked import ByChunks
from denoisplit.core.images.claims import check_claim
from denoisplit.core.images.derived_images import stacked
from denoisplit.core.images.image_checks import check_numbers
from denoisplit.core.images.io import split_inside
from denoisplit.core.images.layout import described, settled_axes
from denoisplit.core.images.lazy import LazyPixels, at_hand, unreadable
from denoisplit.plugins.image_formats._ome_zarr_reading import image_paths, multiscale, read_multiscale
from denoisplit.plugins.image_formats._zarr_store import checked

_MARKS: Final = ("zarr.json", ".zgroup", ".zarray")
_DESCRIPTIONS: Final = (*_MARKS, ".zattrs", ".zmetadata")
_CHUNK: Final = re.compile(r"(c|\d+)(\.\d+)*")


def open_zarr(path: Path, axes: str | None, suffixes: tuple[str, ...]) -> Image:
    """Open an array, an OME-Zarr image, or the images of a plate or collection as an axis ``s``.

    Raises:
        ImageError: missing or unreadable, several images that differ, or unknown axes.
    """
    store, inside = split_inside(path, suffixes)
    if not store.is_dir():
        what = "it is a file, but Zarr images are folders" if store.exists() else "there is no such folder"
        raise ImageError(f"{store}: {what}. Check the path.")
    if not any((store / mark).exists() for mark in _MARKS):
        raise ImageError(
            f"{store}: not a Zarr folder (got none of {', '.join(_MARKS)}). Check that it is complete."
        )
    try:
        root = _node(store, inside)
        images = [_image(store, name, axes) for name in _images(root, inside, path, store)]
    except ImageError:
        raise
    except (KeyError, FileNotFoundError) as error:
        raise ImageError(f"{path}: there is no image {inside!r} in {store.name}. Check the path.") from error
    except Exception as error:
        raise unreadable(str(path), error, "Zarr") from error
    image = images[0] if len(images) == 1 else _together(images, path, store)
    return attrs.evolve(image, data=at_hand(image.data))


def is_zarr(path: Path) -> bool:
    """Whether a folder is a Zarr folder."""
    return path.is_dir() and any((path / mark).exists() for mark in _MARKS)


def holds_one_image(path: Path) -> bool:
    """Whether a folder has an array, or the numbered scales of an image, and no other files."""
    for folder, _, names in os.walk(path):
        parts = Path(folder).relative_to(path).parts
        scale = len(parts) <= 1 and all(part.isdigit() for part in parts)
        for name in names:
            chunk = all(_CHUNK.fullmatch(part) for part in (*parts, name))
            if not (chunk or (scale and name in _DESCRIPTIONS)):
                return False
    return True


def zarr_target(path: Path, suffixes: tuple[str, ...]) -> Path:
    """Return the folder to write.

    Raises:
        ImageError: the path goes on inside it.
    """
    store, inside = split_inside(path, suffixes)
    if inside:
        raise ImageError(
            f"{path}: an image is written into a folder of its own (got {inside!r} behind it). Leave it out."
        )
    return store


def chunks_of(axes: str, shape: tuple[int, ...], side: int) -> tuple[int, ...]:
    """Return the shape of chunks: one plane each, cut into squares."""
    return tuple(
        min(side, length) if letter in "yx" else 1 for letter, length in zip(axes, shape, strict=True)
    )


def _node(store: Path, inside: str) -> Any:
    import zarr

    node = zarr.open(str(store), path=inside or None, mode="r")
    if isinstance(node, zarr.Group) and node.metadata.consolidated_metadata is not None:
        # Consolidated metadata is a copy that may be older than the folder.
        return zarr.open_group(str(store), path=inside or None, mode="r", use_consolidated=False)
    return node


def _images(root: Any, inside: str, path: Path, store: Path) -> list[str]:
    """Return the paths of the images of a node inside its store."""
    import zarr

    if isinstance(root, zarr.Array):
        return [inside]
    found = image_paths(root, inside, str(path))
    if found:
        return found
    names = sorted(
        f"{inside}/{name}".strip("/")
        for name, node in root.members(max_depth=None)
        if isinstance(node, zarr.Array) and len(node.shape) > 1
    )
    if not names:
        raise ImageError(
            f"{path}: there is no image in it (got no array of two axes or more). Check the path."
        )
    if len(names) > 1:
        raise ImageError(
            f"{path}: expected one image (got the arrays {', '.join(names[:9])}). "
            f"Name one behind the folder, for example {store.name}/{names[0]}."
        )
    return names


def _image(store: Path, name: str, axes: str | None) -> Image:
    import zarr

    where = f"{store}/{name}" if name else str(store)
    try:
        node = _node(store, name)
    except (KeyError, FileNotFoundError) as error:
        raise ImageError(
            f"{where}: this image is missing, though it is listed (got no such folder). Copy it again."
        ) from error
    if isinstance(node, zarr.Array):
        array, said = node, _said(node)
    else:
        array, said = read_multiscale(multiscale(node), node, where)
    array = checked(array, str(store))
    folder = store / array.path
    for sides in (array.shape, array.chunks):
        check_claim(sides, array.dtype.itemsize, folder, where)
    return _described(array, said, axes, where)


def _described(array: Any, said: dict[str, Any], axes: str | None, where: str) -> Image:
    check_numbers(array.dtype, where)
    shape = tuple(int(side) for side in array.shape)
    read = ByChunks(partial(_read, array), shape, array.chunks, array.dtype.itemsize)
    data = LazyPixels(shape=shape, dtype=array.dtype, read=read, source=where)
    known = settled_axes(axes, said, shape, where)
    image = described(data, known, said, where, overridden=axes is not None)
    return image if axes is not None else _as_noted(image, str(said.get("noted", "")))


def _read(array: Any, region: Window) -> AnyArray:
    return np.asarray(array[region])


def _as_noted(image: Image, noted: str) -> Image:
    """Restore the noted order of the axes, and samples stored as time points."""
    axes = image.axes.replace("t", "s") if "s" in noted and "t" not in noted else image.axes
    image = attrs.evolve(image, axes=axes)
    if sorted(noted) != sorted(axes) or noted == axes:
        return image
    return attrs.evolve(
        image,
        data=reorder(image.data, axes, noted),
        axes=noted,
        pixel_size=reordered_size(image.pixel_size, axes, noted),
    )


def _said(array: Any) -> dict[str, Any]:
    """Read metadata from the attributes of an array, under the keys of our remark."""
    attributes = dict(array.attrs)
    dimensions = getattr(array.metadata, "dimension_names", None) or attributes.get("_ARRAY_DIMENSIONS")
    dimensions = dimensions if isinstance(dimensions, list | tuple) else ()
    said = {"axes": "".join(map(letter_of, dimensions))} if any(dimensions) else {}
    listed = {key: value for key, value in attributes.items() if key != "denoisplit"}
    own = attributes.get("denoisplit")
    return said | listed | (own if isinstance(own, dict) else {})


def _facts(image: Image) -> tuple[str, ...]:
    """Describe what images that become one must have in common."""
    return (
        f"of shape {tuple(image.data.shape)}",
        f"with pixels of {image.data.dtype}",
        f"with axes {image.axes}",
        f"with channels {', '.join(image.channel_names) or 'without names'}",
        f"with pixels of {image.pixel_size or 'unknown size'}",
        f"with {image.intensity_scale or 'counts'}",
    )


def _together(images: list[Image], path: Path, store: Path) -> Image:
    """Stack positions along a first axis ``s``."""
    first = images[0]
    facts = [_facts(image) for image in images]
    example = first.source.removeprefix(f"{store.parent}/")
    advice = f"Name one behind the folder, for example {example}."
    differing = [i for i, values in enumerate(zip(*facts, strict=True)) if len(set(values)) > 1]
    if differing:
        other = next(i for i, found in enumerate(facts) if found != facts[0])
        listed = ", ".join(
            f"{images[i].source.removeprefix(f'{path}/')} {' '.join(facts[i][fact] for fact in differing)}"
            for i in (0, other)
        )
        raise ImageError(f"{path}: its images differ (got {listed}). {advice}")
    if "s" in first.axes:
        raise ImageError(f"{path}: its images have an axis s already (got {first.axes!r}). {advice}")
    data = stacked([image.data for image in images])
    return Image(
        data=data,
        axes=f"s{first.axes}",
        channel_names=first.channel_names,
        pixel_size=first.pixel_size,
        time_interval=first.time_interval if len({image.time_interval for image in images}) == 1 else None,
        intensity_scale=first.intensity_scale,
        source=str(path),
    )
