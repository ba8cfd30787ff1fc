"""Image files in the installed formats."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from denoisplit.core.errors import BrokenPluginError, ImageError
from denoisplit.core.images.axes import AXES, SPATIAL
from denoisplit.core.images.interfaces import Image, ImageFormat, PixelSize
from denoisplit.core.images.io import choose_format, open_image, split_inside
from denoisplit.core.images.lazy import LazyPixels, rearranged
from denoisplit.core.images.streamed import as_array
from denoisplit.core.registry import installed_registry

AnyArray = npt.NDArray[Any]

_LOG = logging.getLogger("denoisplit.images")


def installed_formats() -> list[ImageFormat]:
    """All installed formats with their default options; a broken one is left out, and the log says so."""
    found: list[ImageFormat] = []
    for component in installed_registry().components("image_format"):
        try:
            kind = component.load()
        except BrokenPluginError as error:
            _LOG.warning("left out: %s", error)
            continue
        found.append(kind(kind.Options()))
    return found


def require_writable(path: Path, *, overwrite: bool) -> None:
    """Check, before the work is done, that an image can be written under this name.

    Args:
        path: of the image; one behind the name of a file stands for the whole file.
        overwrite: whether a file that is there already may be replaced.

    Raises:
        ImageError: no installed format has its ending, or something is there that must not be replaced.
    """
    chosen = writing_format(path, installed_formats())
    file, inside = split_inside(path, chosen.suffixes) if chosen.holds_several else (path, "")
    if not file.exists():
        return
    if file.is_dir() and not chosen.holds_several:
        raise ImageError(f"{file}: is a folder. Give the name of a file.")
    if not chosen.may_replace(file):
        kind = "folder" if file.is_dir() else "file"
        raise ImageError(
            f"{file}: something else has this name, which is never replaced (got a {kind}). "
            f"Choose another name, or move it."
        )
    if not overwrite:
        whole = f" {path} would replace all of it." if inside else ""
        raise ImageError(f"{file}: exists already.{whole} Choose another --out, or add --overwrite.")


def open_labels(path: Path, *, lazily: bool = False) -> AnyArray:
    """A label image, without axes of length 1 other than y and x; ``lazily`` leaves a large one in its file.

    Raises:
        ImageError: the file cannot be read.
    """
    image = open_image(path, installed_formats())
    sides = list(zip(image.axes, image.data.shape, strict=True))
    kept = [number for number, (axis, side) in enumerate(sides) if axis in SPATIAL[1:] or side > 1]
    data = image.data if lazily else image.pixels
    found = rearranged(data, kept, image.source)
    return as_array(found) if isinstance(found, LazyPixels) else np.asarray(found)


def writing_format(path: Path, formats: Sequence[ImageFormat]) -> ImageFormat:
    """The format that writes files of this name.

    Raises:
        ImageError: no format has this ending, or files with it are only read.
    """
    written = sorted({s for f in formats for s in f.suffixes if s not in f.read_only})
    advice = f"Choose a name that ends in {', '.join(written)}."
    chosen = choose_format(path, formats, advice=advice)
    # The longest ending is the one that counts: it chose the format.
    if next((s for s in chosen.suffixes if s in str(path).lower()), "") in chosen.read_only:
        raise ImageError(f"{path}: files with this ending are only read (got {path.suffix}). {advice}")
    return chosen


def save_image(path: Path, image: Image) -> None:
    """Write an image; the ending of its name chooses the format.

    Raises:
        ImageError: no installed format has this ending, or the format cannot hold the image.
    """
    writing_format(path, installed_formats()).write(path, image)


def save_mixed(path: Path, mixed: AnyArray, pixel_size: PixelSize | None) -> None:
    """Write a mixed image [(z) y x] with its pixel size."""
    axes = default_axes(mixed)
    save_image(path, Image(data=mixed, axes=axes, channel_names=("mixed",), pixel_size=pixel_size))


def default_axes(image: AnyArray) -> str:
    """``yx`` or ``zyx``, for arrays that come without axes.

    Raises:
        ImageError: other than 2 or 3 dimensions.
    """
    if image.ndim not in (2, 3):
        raise ImageError(
            f"array: it is not clear what its axes are (got shape {image.shape}). "
            f"Give one letter of '{AXES}' per axis, for example axes='tyx'."
        )
    return "zyx"[-image.ndim :]
