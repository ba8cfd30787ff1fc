"""Image files in the installed formats."""

import logging
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import final

import numpy as np

from denoisplit.core.arrays import AnyArray
from denoisplit.core.errors import ImageError, RunError
from denoisplit.core.given import path_of
from denoisplit.core.images.axes import UnnamedAxesError, ambiguous_axes, parse_axes, propose_axes
from denoisplit.core.images.bases import Image, ImageFormat, PixelSize
from denoisplit.core.images.io import choose_format, open_image, split_inside
from denoisplit.core.registry import installed_registry
from denoisplit.core.storage.formats import examine_formats
from denoisplit.core.storage.write_guards import Inputs, is_same, require_name, require_outside_runs

_LOG = logging.getLogger("denoisplit.images")


def installed_formats() -> list[ImageFormat]:
    """All installed formats with their default options; broken ones are left out. See ``examine_formats``."""
    found = examine_formats(installed_registry())
    for fault in found.faults:
        _LOG.info("left out: %s", fault.error)
    return list(found.usable)


@final
class ImageInputs:
    """Images, folders and files that are inputs, which no output may touch.

    Args:
        paths: their paths; they need not exist.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self._formats = installed_formats()
        self._read: list[tuple[Path, str, Path]] = []
        sets = []
        for given in paths:
            try:
                reading = choose_format(given, self._formats)
                source, image = _parts(given, reading)
            except ImageError:  # a folder, or a file that is going to be refused anyway
                source, image = given, ""
            else:
                if source.is_file():
                    sets.append(reading.first_of_set(source))
            self._read.append((source, image, given))
        self._sources, self._sets = Inputs(source for source, _, _ in self._read), Inputs(sets)

    def require_other(self, path: Path) -> Path | None:
        """Check that writing an image would replace neither an input nor a file of another sort.

        Args:
            path: path of the image; a name inside a file stands for the whole file, unless its format writes
                images beside each other.

        Returns:
            The existing file that would be replaced; None if there is none.

        Raises:
            ImageError: no installed format has its ending, or something else has its name.
            RunError: it is, contains or lies in an input or a run, or no file can have this name.
        """
        chosen = writing_format(path, self._formats)
        file, inside = _parts(path, chosen)
        require_name(file)
        self._require_apart(path, file, inside, chosen)
        require_outside_runs(file)
        whole = path if inside and chosen.writes_inside else file
        if not chosen.is_taken(whole):
            return None
        if file.is_dir() and not chosen.holds_several:
            raise ImageError(f"{file}: is a folder. Give the name of a file.")
        if not chosen.may_replace(whole):
            kind = "folder" if file.is_dir() else "file"
            raise ImageError(
                f"{whole}: something else has this name, which is never replaced (got a {kind}). "
                f"Choose another name, or move it."
            )
        return whole

    def require_writable(self, path: Path, *, overwrite: bool) -> None:
        """Check, before any work is done, that an image can be written under this name.

        Args:
            path: see ``require_other``.
            overwrite: whether an existing file may be replaced.

        Raises:
            ImageError, RunError: see ``require_other``; or the file exists and may not be replaced.
        """
        taken = self.require_other(path)
        if taken is not None and not overwrite:
            raise ImageError(f"{taken}: exists already. Choose another --out, or add --overwrite.")

    def _require_apart(self, path: Path, file: Path, inside: str, chosen: ImageFormat) -> None:
        beside = [one for one in self._read if inside and chosen.writes_inside and is_same(one[0], file)]
        for _, image, given in beside:
            nested = f"{image}/".startswith(f"{inside}/") or f"{inside}/".startswith(f"{image}/")
            if nested if image else chosen.is_taken(path):
                raise RunError(f"{path}: is an input itself (got {given}). Choose another name.")
        if not beside:
            self._sources.require_other(file)
            first = self._sets.same(chosen.first_of_set(file)) if file.is_file() else None
            if first is not None:
                raise RunError(
                    f"{path}: belongs to the files of an input (got {first}). Choose another name."
                )
        self._sources.require_apart(file)


def file_of(path: Path) -> Path:
    """The file of an image, whose name may continue with an image inside the file.

    Raises:
        ImageError: no installed format writes files of this name.
    """
    return _parts(path, writing_format(path, installed_formats()))[0]


def files_among(*given: object) -> list[Path]:
    """The files behind given images: paths, and the files of memory maps."""
    paths = [one.filename if isinstance(one, np.memmap) else one for one in given]
    return [Path(one) for one in paths if isinstance(one, str | os.PathLike)]


def _parts(path: Path, image_format: ImageFormat) -> tuple[Path, str]:
    """The file, and the name of the image inside it."""
    return split_inside(path, image_format.suffixes) if image_format.holds_several else (path, "")


def writing_format(path: Path, formats: Sequence[ImageFormat]) -> ImageFormat:
    """Choose the format that writes files of this name.

    Raises:
        ImageError: no format has this ending, or files with it can only be read.
    """
    written = sorted({s for f in formats for s in f.suffixes if s not in f.read_only})
    advice = f"Choose a name that ends in {', '.join(written)}."
    chosen = choose_format(path, formats, advice=advice)
    # The longest ending counts: it chose the format.
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
    axes = "zyx"[-mixed.ndim :]
    save_image(path, Image(data=mixed, axes=axes, channel_names=("mixed",), pixel_size=pixel_size))


def read_image(path: str | os.PathLike[str], *, axes: str | None = None) -> Image:
    """Open an image file in any installed format; large pixels are read on demand.

    Example::

        image = read_image("split.ome.tif")
        image.axes, image.channel_names, image.pixel_size

    Args:
        path: the file, or an image inside it such as ``cells.h5/raw``.
        axes: axes that override those in the file, letters of ``stczyx``.

    Returns:
        The image; its numbers are counts unless it has an ``intensity_scale``.

    Raises:
        ImageError: unknown ending; missing, truncated or unreadable file; axes that do not fit.
        ArgumentError: not a path.
    """
    return open_image(path_of(path, "path"), installed_formats(), axes=axes)


def open_given(image: object, axes: str | None, *, mixed: bool = True) -> Image:
    """Open an image in any form: an array of numbers, the path of a file, or an opened image.

    Args:
        image: any object, as callers may pass a wrong type.
        axes: meaning of the axes of the array or file; None for what the file says. An array with two axes is
            then an image, and one with three a stack, unless its last axis looks like colours.
        mixed: whether it is a mixed image, for which no axis of channels is proposed.

    Raises:
        ImageError: neither an array of real numbers nor a path, or the axes are unknown.
    """
    if isinstance(image, Image):
        return image
    if isinstance(image, str | os.PathLike):
        try:
            return open_image(Path(image), installed_formats(), axes=axes)
        except UnnamedAxesError as error:
            likely = propose_axes(error.shape)
            without = tuple(one for one in likely if "c" not in one)
            if not mixed or not without or likely[0][-1] == "c":
                raise
            raise ambiguous_axes(error.shape, str(image), without) from error
    if not isinstance(image, np.ndarray):
        raise ImageError(
            f"image: must be a NumPy array or the path of a file (got {type(image).__name__}). "
            f"Give numpy.asarray(image)."
        )
    if image.dtype.kind not in "buif":
        raise ImageError(f"array: pixels must be real numbers (got dtype {image.dtype}). Convert them.")
    if axes is None and (image.ndim not in (2, 3) or propose_axes(image.shape)[0] == "yxc"):
        raise ambiguous_axes(image.shape, "array", subject="an array")
    meaning = parse_axes("zyx"[-image.ndim :] if axes is None else axes, image.shape, "array")
    return Image(data=image, axes=meaning, source="array")
