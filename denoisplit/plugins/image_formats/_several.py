"""Microscope files: they hold several images, are read with optional packages, and never written."""

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import attrs
import numpy as np

from denoisplit.core.errors import ImageError, MissingPackageError
from denoisplit.core.images.axes import NAMELESS as NAMELESS
from denoisplit.core.images.axes import SPATIAL, ambiguous_axes, parse_axes, picture
from denoisplit.core.images.bases import Image, ImageLayout
from denoisplit.core.images.derived_images import stacked
from denoisplit.core.images.image_checks import check_numbers
from denoisplit.core.images.layout import described
from denoisplit.core.images.lazy import LazyArray, at_hand

COLOURS: Final = "r"
"""Letter of the colour axis of a picture."""

_LISTED: Final = 9
SAME_TIME: Final = 0.01
"""Share by which intervals may differ that count as the same."""


@attrs.frozen(kw_only=True)
class Part:
    """One of the images of a file.

    Attributes:
        data: pixels.
        axes: axes of ``data``: letters of ``stczyx``, ``?`` and ``r``.
        sizes: sizes of a pixel in µm, by the letters of the spatial axes.
        channel_names: one per channel, or none.
        interval: seconds from one time point to the next, None when unknown.
    """

    data: LazyArray = attrs.field(eq=False)
    axes: str
    sizes: dict[str, float] = attrs.field(factory=dict)
    channel_names: tuple[str, ...] = ()
    interval: float | None = attrs.field(default=None, eq=False)

    def like(self, other: "Part") -> bool:
        """Whether two images can be positions of one image."""
        same = (self.data.shape, self.data.dtype) == (other.data.shape, other.data.dtype)
        return same and self == other and "s" not in self.axes


Named = tuple[str, Callable[[], Part]]
"""Name of an image within its file, and a function that opens it."""


def one_image(images: Sequence[Named], path: Path, file: Path, inside: str, axes: str | None) -> Image:
    """Open the image that a path means: the one of this name, or all below it if they are alike.

    Args:
        images: images of the file.
        path: the path as given.
        file: the part of it that is the file.
        inside: the part after the file; empty for the whole file.
        axes: overrides what the file says.

    Raises:
        ImageError: no such image, several that differ, colours, or axes that are unknown or do not fit.
    """
    where = str(path)
    chosen = [named for named in images if named[0] == inside]
    chosen = chosen or [named for named in images if not inside or named[0].startswith(f"{inside}/")]
    if not chosen:
        what = f"there is no image {inside!r}" if inside else "there is no image in the file"
        advice = (
            f"Name one behind the file, for example {file.name}/{images[0][0]}."
            if images
            else "Check the file."
        )
        raise ImageError(f"{where}: {what} (got the images {_listed([n for n, _ in images])}). {advice}")
    named = [(name, make()) for name, make in chosen]
    parts, first = [part for _, part in named], named[0][1]
    data, known = joined(
        named, where, axes, f"Name one behind the file, for example {file.name}/{chosen[0][0]}."
    )
    check_numbers(data.dtype, where)
    said: dict[str, Any] = {"channel_names": first.channel_names, "unit": "µm", "time_unit": "s"}
    said["pixel_size"] = [first.sizes.get(letter) for letter in known if letter in SPATIAL]
    intervals = [part.interval or np.nan for part in parts]
    if np.allclose(intervals, intervals[0], rtol=SAME_TIME):
        said["time_interval"] = intervals[0]
    return described(at_hand(data), known, said, where, overridden=axes is not None)


def joined(
    named: Sequence[tuple[str, Part]], where: str, axes: str | None, advice: str
) -> tuple[LazyArray, str]:
    """Join images into one, and return its pixels and axes: several become an axis ``s``.

    Args:
        named: the images by name.
        where: place that messages name.
        axes: overrides those of the images.
        advice: what to do where the images differ.

    Raises:
        ImageError: images that differ, colours, or axes that are unknown or do not fit.
    """
    parts = [part for _, part in named]
    first = parts[0]
    if not all(part.like(first) for part in parts[1:]):
        raise ImageError(
            f"{where}: expected one image, or several that are alike (got the images "
            f"{_listed([f'{name} {_differing(part, parts)}' for name, part in named])}). {advice}"
        )
    several = len(parts) > 1
    data = stacked([part.data for part in parts]) if several else first.data
    return data, _axes("s" * several + first.axes, data.shape, where, axes)


def _differing(part: Part, parts: Sequence[Part]) -> str:
    """Describe an image among images that differ: its shape, and what else differs."""
    said = [str(part.data.shape)]
    if len({other.data.dtype for other in parts}) > 1:
        said.append(str(part.data.dtype))
    if len({other.axes for other in parts}) > 1:
        said.append(part.axes)
    if any(other.sizes != parts[0].sizes for other in parts):
        size = " x ".join(f"{size:g}" for size in part.sizes.values())
        said.append(f"{size} µm" if size else "without a size")
    if len({other.channel_names for other in parts}) > 1:
        said.append("channels " + ("/".join(part.channel_names) or "without names"))
    return " ".join(said)


def _axes(found: str, shape: tuple[int, ...], where: str, given: str | None) -> str:
    if given is not None:
        return parse_axes(given, shape, where)
    if COLOURS in found:
        raise picture(found, COLOURS, shape, where)
    if NAMELESS in found:
        raise ambiguous_axes(shape, where)
    return parse_axes(found, shape, where)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more if names else "none"


def package(name: str, extra: str, where: str) -> ModuleType:
    """Import a package that reads files of a microscope.

    Raises:
        MissingPackageError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingPackageError(
            f"{where}: the package {name}, which reads such files, cannot be imported ({error}). "
            f"Install it with: pip install 'denoisplit[{extra}]'."
        ) from error


def only_read(path: Path, layout: ImageLayout) -> ImageError:
    """Return the error for writing in a format that is only read."""
    return ImageError(
        f"{path}: files of microscopes are only read (got an image of shape {layout.shape} to write). "
        f"Write .ome.tif."
    )
