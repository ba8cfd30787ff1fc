"""Planes of an OME-TIFF image: the file and page of each."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path, PureWindowsPath
from typing import Final, final

import tifffile

from denoisplit.core.errors import ImageError
from denoisplit.core.images.axes import propose_axes
from denoisplit.core.images.lazy import unreadable
from denoisplit.plugins.image_formats._ome_xml import Ome, OmeImage, TiffData, parse_ome, whole
from denoisplit.plugins.image_formats._tiff_pixels import Plane, open_tiff

_ORDERS: Final = ("XYZCT", "XYZTC", "XYCTZ", "XYCZT", "XYTCZ", "XYTZC")


@final
class OmeFiles:
    """The files of a set, as the OME-XML of one of them lists them.

    Args:
        tif: the open file that was named.
        path: its path.

    Attributes:
        ome: document that describes the images, from this file or the one that has the metadata.
    """

    def __init__(self, tif: tifffile.TiffFile, path: Path, ome: Ome) -> None:
        self.path, self.ome = path, ome
        self._own = ome.uuid
        first = tif.pages.first
        alone = (len(tif.pages), *first.shape) if len(tif.pages) > 1 else tuple(first.shape)
        axes = (*propose_axes(alone), "yx")[0]
        self._instead = f"or give axes='{axes}' (--axes {axes}) to read the pages of this file alone"
        self._open: dict[Path, int] = {path: len(tif.pages)}
        if ome.elsewhere:
            self.ome = self._metadata(ome)
        named = {(data.uuid, data.file) for image in self.ome.images for data in image.data if data.file}
        self._uuids = {uuid for uuid, _ in named}
        self._names = {name for _, name in named}

    def images(self) -> tuple[OmeImage, ...]:
        """The images that have planes in this file; all images where it has no planes."""
        described = tuple(image for image in self.ome.images if image.data or len(self.ome.images) == 1)
        own = [image for image in described if any(self.where(data) == self.path for data in image.data)]
        return tuple(own) or described

    def where(self, data: TiffData) -> Path:
        """Return the file of some planes.

        Raises:
            ImageError: it is not in the folder of the file that was named.
        """
        if not data.file and not data.uuid:
            return self.path
        if self._own and data.uuid == self._own:
            return self.path
        same = data.file.lower() == self.path.name.lower() or not data.file
        if same and (not data.uuid or not self._own or self._own not in self._uuids):
            return self.path
        if not self._own and len(self._names) == 1 and not (self.path.parent / data.file).exists():
            return self.path  # the file was renamed
        return beside(self.path, data.file)

    def planes(self, image: OmeImage, sizes: Mapping[str, int]) -> tuple[Plane, ...]:
        """Return all planes of an image in their order.

        Args:
            image: an image of the document.
            sizes: sizes of the axes after x and y, the fastest first.

        Raises:
            ImageError: missing files or planes.
        """
        count = math.prod(sizes.values())
        blocks = list(self._blocks(image, count, sizes))
        there = min(sum(block[-1] for block in blocks), sum(self._open.values()))
        if there < count:  # before anything of that size is allocated
            raise self._incomplete(there, count)
        found: list[Plane | None] = [None] * count
        for path, start, page, many in blocks:
            for i in range(many):
                found[start + i] = Plane(path, page + i)
        planes = tuple(plane for plane in found if plane is not None)
        if len(planes) < count:
            raise self._incomplete(len(planes), count)
        return planes

    def _incomplete(self, found: int, count: int) -> ImageError:
        return ImageError(
            f"{self.path}: planes are missing (got {found} of {count}). Save the image again with all of "
            f"them, {self._instead}."
        )

    def _blocks(
        self, image: OmeImage, count: int, sizes: Mapping[str, int]
    ) -> Iterator[tuple[Path, int, int, int]]:
        """Yield file, first plane, first page and number of planes of every part."""
        for data in image.data or (TiffData({}),):
            path = self.where(data)
            pages = self._pages(path, data)
            step, start = 1, 0
            for letter, side in sizes.items():
                start += min(data.number(f"First{letter}", 0), side) * step
                step *= side
            page = data.number("IFD", 0)
            many = data.number("PlaneCount", data.number("NumPlanes", 1 if "IFD" in data.said else pages))
            many = min(many, pages - page, count - start)
            if many > 0:
                yield path, start, page, many

    def _pages(self, path: Path, data: TiffData) -> int:
        if path not in self._open:
            if not path.is_file():
                raise ImageError(
                    f"{self.path}: {path.name}, which holds planes of this image, is not there (got {path}). "
                    f"Put it beside the file, {self._instead}."
                )
            try:
                with open_tiff(path) as tif:
                    self._open[path] = len(tif.pages)
                    other = parse_ome(tif.pages.first.description)
            except Exception as error:
                raise unreadable(str(path), error, "TIFF") from error
            if other is not None and other.uuid and data.uuid and other.uuid != data.uuid:
                raise ImageError(
                    f"{self.path}: {path.name} is a file of another set (got {other.uuid}, not {data.uuid}). "
                    f"Put the right one beside the file, {self._instead}."
                )
        return self._open[path]

    def _metadata(self, ome: Ome) -> Ome:
        """Return the document of the file that has the metadata."""
        file = beside(self.path, ome.elsewhere)
        found = None
        if file.is_file():
            found = parse_ome(_description(file))
        if found is None or (ome.elsewhere_uuid and found.uuid and found.uuid != ome.elsewhere_uuid):
            what = (
                "is not there" if not file.is_file() else "is of another set" if found else "cannot be read"
            )
            raise ImageError(
                f"{self.path}: it is a part of an image; its metadata is in {file.name}, which {what} "
                f"(got {file}). Put it beside the file, {self._instead}."
            )
        return found


def beside(path: Path, name: str) -> Path:
    """Return a file of a set by its name, in the folder of another file of the set.

    Raises:
        ImageError: it lies elsewhere.
    """
    inside = PureWindowsPath(name)  # recognises the separators, drives and roots of all systems
    if inside.anchor or ".." in inside.parts or not inside.parts:
        raise ImageError(
            f"{path}: a file of the set lies outside of its folder (got {name!r}). Put all of them into one "
            f"folder, and save the image again."
        )
    return path.parent / name


def _description(file: Path) -> str:
    try:
        if file.name.lower().endswith((".tif", ".tiff", ".btf")):
            with open_tiff(file) as tif:
                return tif.pages.first.description
        return file.read_text(encoding="utf-8", errors="replace")
    except Exception as error:
        raise unreadable(str(file), error, "OME") from error


def sides(image: OmeImage, samples: int) -> dict[str, int] | None:
    """Return the planes along the axes after x and y, the fastest first; None where not given.

    Args:
        image: an image of the document.
        samples: samples of a page, each of which is a channel.
    """
    order = image.pixels.get("DimensionOrder", "")
    found = {letter: whole(image.pixels.get(f"Size{letter}"), 0) for letter in "XYZCT"}
    if order not in _ORDERS or min(found.values()) < 1:
        return None
    if found["C"] % samples == 0:
        found["C"] //= samples
    return {letter: found[letter] for letter in order[2:]}
