"""What the folder layouts share: files by pattern, their partners, and single channels out of image files."""

import importlib
import pkgutil
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from denoisplit.core.errors import ImageError
from denoisplit.core.images.checks import check_channels, check_pixels
from denoisplit.core.images.interfaces import FieldFile, FloatArray, ImageFormat, PixelSize
from denoisplit.core.images.io import Planes, iterate_planes, open_image
from denoisplit.plugins import image_formats


@cache
def formats() -> tuple[ImageFormat, ...]:
    """The formats that images of a data set may have: all that stand beside this package."""
    found: list[ImageFormat] = []
    for module in pkgutil.iter_modules(image_formats.__path__, f"{image_formats.__name__}."):
        for cls in vars(importlib.import_module(module.name)).values():
            if isinstance(cls, type) and cls.__module__ == module.name and issubclass(cls, ImageFormat):
                known: Any = cls
                found.append(known(known.Options()))
    return tuple(found)


@attrs.frozen(kw_only=True)
class Frames:
    """The arrays of one channel out of one file: one for every position along time and depth.

    Attributes:
        names: of the file and the position.
        pixels: [(z) y x] each, float32 counts.
        pixel_size: of one array, if known.
        path: of the file.
        dtype: of the pixels in the file.
    """

    names: tuple[str, ...]
    pixels: tuple[FloatArray, ...] = attrs.field(eq=False, repr=False)
    pixel_size: PixelSize | None
    path: Path
    dtype: str

    def file(self, role: str, channel: str = "") -> FieldFile:
        """The file as a field names it."""
        return FieldFile(path=str(self.path), role=role, channel=channel, dtype=self.dtype)


def read_frames(path: Path, root: Path, *, axes: str = "", dimensions: int = 2) -> Frames:
    """All arrays of a file with one channel.

    Args:
        path: of the file.
        root: folder that names are relative to.
        axes: overrides what the file says.
        dimensions: spatial axes of an array, 2 or 3; 0 takes 3 where the file has a ``z`` axis.

    Raises:
        ImageError: unreadable, constant or non-finite.
        ChannelCountError: the file has several channels.
    """
    planes = open_planes(path, axes, dimensions)
    name = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
    names, pixels = [], []
    for index, array in planes:
        where = f"{path}{_place(planes, index)}"
        check_channels(array.shape[0], 1, where, "Give files of one channel each, or correct axes.")
        check_pixels(array[0], where)
        names.append(f"{name}{_place(planes, index)}")
        pixels.append(array[0])
    return Frames(
        names=tuple(names),
        pixels=tuple(pixels),
        pixel_size=planes.pixel_size,
        path=path,
        dtype=str(planes.image.data.dtype),
    )


def open_planes(path: Path, axes: str, dimensions: int) -> Planes:
    """An image file, cut into arrays [c (z) y x]."""
    image = open_image(path, formats(), axes or None)
    return iterate_planes(image, dimensions or (3 if "z" in image.axes else 2))


def _place(planes: Planes, index: Sequence[int]) -> str:
    return "".join(f" {axis}={i}" for axis, i in zip(planes.leading, index, strict=True))


def require_folder(folder: Path) -> None:
    """Refuse a folder that is not there.

    Raises:
        ImageError: it is not.
    """
    if not folder.is_dir():
        raise ImageError(
            f"{folder}: there is no such folder. Check the path. To evaluate a run on other images, "
            f"name them with --set 'data.test={{use: folder, path: FOLDER}}'."
        )


def files(folder: Path, pattern: str) -> list[Path]:
    """Files that match, in natural order of their names (``f2`` before ``f10``)."""
    found = (file for file in folder.glob(pattern) if file.is_file() or file.suffix.lower() == ".zarr")
    return sorted(found, key=lambda file: natural(file.relative_to(folder).as_posix()))


def one_file(folder: Path, stem: str) -> Path | None:
    """The file of this name, whatever the suffix of its format; None when there is none.

    Raises:
        ImageError: several files have this name.
    """
    suffixes = {suffix for known in formats() for suffix in known.suffixes}
    found = [
        file
        for file in files(folder, f"{stem}.*")
        if file.name.lower().removeprefix(stem.lower()) in suffixes
    ]
    if len(found) > 1:
        raise ImageError(
            f"{folder}: several files are called {stem} (got {', '.join(file.name for file in found)}). "
            f"Keep one."
        )
    return found[0] if found else None


def need_file(folder: Path, stem: str) -> Path:
    """As ``one_file``.

    Raises:
        ImageError: there is no such file; names those that are there.
    """
    found = one_file(folder, stem)
    if found is None:
        known = ", ".join(sorted({suffix for kind in formats() for suffix in kind.suffixes}))
        there = ", ".join(sorted(entry.name for entry in folder.iterdir())[:5]) if folder.is_dir() else ""
        raise ImageError(
            f"{folder / stem}: there is no such image, with any of the suffixes {known} "
            f"(got {there or 'no such folder'}). Correct path, or the names of the channels."
        )
    return found


def key_of(file: Path, folder: Path, pattern: str) -> str:
    """What the first ``*`` of the pattern stands for in this file."""
    wild = {"**/": "(?:.*/)?", "**": ".*", "*": "([^/]*)", "?": "[^/]"}
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    expression = "".join(wild.get(part) or re.escape(part) for part in parts)
    found = re.fullmatch(expression, file.relative_to(folder).as_posix())
    return found.group(1) if found and found.lastindex else ""


def by_key(folder: Path, pattern: str, kind: str) -> dict[str, Path]:
    """The files that match, by what the first ``*`` stands for, in natural order.

    Raises:
        ImageError: two files have the same key.
    """
    partners: dict[str, Path] = {}
    for file in files(folder, pattern) if pattern else []:
        first = partners.setdefault(key_of(file, folder, pattern), file)
        if first != file:
            raise ImageError(
                f"{file}: it serves the same field as {first.name} (got {kind}={pattern!r}). "
                f"Make the pattern match one file per field."
            )
    return partners


def partner(of: Path, key: str, found: Mapping[str, Path], what: str, pattern: str) -> Path:
    """The partner of a file.

    Raises:
        ImageError: it has none.
    """
    if key not in found:
        raise ImageError(
            f"{of}: it has no {what} partner (expected {pattern.replace('*', key, 1)!r}). "
            f"Add it, leave the file out, or correct the pattern."
        )
    return found[key]


def natural(text: str) -> list[tuple[int, str]]:
    """Sorting key under which numbers inside text sort by value."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", text)]


def stacked(channels: Sequence[FloatArray], names: Sequence[str], where: str) -> FloatArray:
    """Channels [(z) y x] as one array [c (z) y x].

    Raises:
        ImageError: they differ in size.
    """
    sizes = {channel.shape for channel in channels}
    if len(sizes) > 1:
        listed = ", ".join(f"{n} {c.shape}" for n, c in zip(names, channels, strict=True))
        raise ImageError(f"{where}: its channels differ in size (got {listed}). Crop them to the same size.")
    return np.stack(channels)
