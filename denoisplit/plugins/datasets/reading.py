"""Image files of a folder: found by pattern, matched with partners, and read channel by channel."""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import final

import attrs
import numpy as np

from denoisplit.core.errors import DenoisplitError, ImageError
from denoisplit.core.images.bases import ImageFormat
from denoisplit.core.images.derived_images import first_of
from denoisplit.core.images.file_sets import own_images
from denoisplit.core.images.hidden import is_hidden
from denoisplit.core.images.image_checks import check_channels, check_frames
from denoisplit.core.images.io import Planes, iterate_planes, open_image, split_inside
from denoisplit.core.images.lazy import LazyArray, is_lazy
from denoisplit.plugins.datasets.frames import Frames

_WILD = re.compile(r"[*?\[]")


@final
@attrs.frozen
class ImageFiles:
    """Finds and reads images of some formats: files, folders such as those of Zarr, and images inside them.

    Attributes:
        formats: the available image formats.
        memory: size in MiB as float32 from which the pixels of a file are read lazily.
    """

    formats: Sequence[ImageFormat]
    memory: int

    @property
    def suffixes(self) -> tuple[str, ...]:
        """File name suffixes of images."""
        return tuple({suffix for known in self.formats for suffix in known.suffixes})

    @property
    def _containers(self) -> tuple[str, ...]:
        return tuple({s for known in self.formats if known.holds_several for s in known.suffixes})

    def matching(self, folder: Path, pattern: str) -> list[Path]:
        """Find the images that match, in natural order of their names (``f2`` before ``f10``), none hidden.

        A pattern may go on after the name of a file that holds several images: ``*.h5::raw``,
        ``*.zarr/raw``.

        Raises:
            ImageError: what follows the file name is itself a pattern.
        """
        outer, inner = self._divided(pattern)
        found = [
            entry
            for entry in folder.glob(outer)
            if self._is_image(entry, folder) and not is_hidden(entry.relative_to(folder), outer)
        ]
        return sorted(
            (Path(f"{entry}{inner}") for entry in own_images(found, self.formats)),
            key=lambda file: natural(file.relative_to(folder).as_posix()),
        )

    def by_key(self, folder: Path, pattern: str, kind: str) -> dict[str, Path]:
        """Find the images that match, by the text that the first ``*`` stands for, in natural order.

        Raises:
            ImageError: two images have the same key.
        """
        partners: dict[str, Path] = {}
        for file in self.matching(folder, pattern) if pattern else []:
            first = partners.setdefault(key_of(file, folder, pattern), file)
            if first != file:
                raise ImageError(
                    f"{file}: it serves the same field as {first.name} (got {kind}={pattern!r}). "
                    f"Make the pattern match one file per field."
                )
        return partners

    def one(self, folder: Path, stem: str) -> Path | None:
        """Find the image of this name, whatever its suffix; None when there is none.

        Raises:
            ImageError: several images have this name.
        """
        found = [
            file
            for file in self.matching(folder, f"{stem}.*")
            if file.name.lower().removeprefix(stem.lower()) in self.suffixes
        ]
        if len(found) > 1:
            raise ImageError(
                f"{folder}: several files are called {stem} (got {', '.join(file.name for file in found)}). "
                f"Keep one."
            )
        return found[0] if found else None

    def needed(self, folder: Path, stem: str) -> Path:
        """Find the image of this name, as ``one`` does.

        Raises:
            ImageError: there is no such image; lists those that are there.
        """
        found = self.one(folder, stem)
        if found is None:
            there = "no such folder"
            if folder.is_dir():
                names = sorted(e.name for e in folder.iterdir() if not is_hidden(Path(e.name)))
                there = ", ".join(names[:5]) or "nothing"
            raise ImageError(
                f"{folder / stem}: there is no such image, with any of the suffixes "
                f"{', '.join(sorted(self.suffixes))} (got {there}). Correct path, or the "
                f"names of the channels."
            )
        return found

    def exists(self, path: Path) -> bool:
        """Whether the image, or the file that it is in, is there."""
        file, _ = split_inside(path, self._containers)
        try:
            return path.is_file() or file.is_file() or self._is_image(file, file.parent)
        except (OSError, ValueError):  # a name that no file can have
            return False

    def others(self, folder: Path, pattern: str) -> str:
        """Return a sentence for errors that lists the suffixes of the other images, if any."""
        place = folder / PurePosixPath(self._divided(pattern)[0]).parent
        if _WILD.search(str(place.relative_to(folder))) or not place.is_dir():
            return ""
        names = [entry.name for entry in place.iterdir() if self._is_image(entry, folder)]
        names = [name for name in names if not is_hidden(Path(name))]
        longest = sorted(self.suffixes, key=len, reverse=True)
        # As they are written, since patterns go by capitals.
        lengths = [next((len(s) for s in longest if name.lower().endswith(s)), 0) for name in names]
        endings = Counter(name[len(name) - n :] for name, n in zip(names, lengths, strict=True))
        counted = ", ".join(f"{count} ending in {end}" for end, count in sorted(endings.items()) if end)
        return f" There are other images: {counted}." if counted else ""

    def planes(self, path: Path, axes: str, dimensions: int) -> Planes:
        """Open an image as arrays [c (z) y x].

        Args:
            path: the file.
            axes: overrides what the file says.
            dimensions: spatial axes of an array, 2 or 3; 0 takes 3 where the file has a ``z`` axis.

        Raises:
            ImageError: missing or unreadable.
        """
        image = open_image(path, self.formats, axes or None)
        return iterate_planes(image, dimensions or (3 if "z" in image.axes else 2))

    def arrays(self, planes: Planes) -> Iterator[LazyArray]:
        """Yield the array [c (z) y x] of every position, float32; lazy for a large file."""
        size = math.prod(planes.image.data.shape) * np.dtype(np.float32).itemsize
        lazily = is_lazy(planes.image.data) and size > self.memory * 2**20
        for index in np.ndindex(planes.shape):
            yield planes.lazy(index) if lazily else planes.read(index)

    def frames(
        self, path: Path, root: Path, *, axes: str = "", dimensions: int = 2, blank: bool = False
    ) -> Frames:
        """Read all arrays of a single-channel image.

        Args:
            path: the file.
            root: folder that names are relative to.
            axes: overrides what the file says.
            dimensions: see ``planes``.
            blank: whether some of them may be constant, for ``without_blank``.

        Raises:
            ImageError: unreadable, constant or non-finite.
            ChannelCountError: the file has several channels.
        """
        planes = self.planes(path, axes, dimensions)
        name = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
        names, pixels, found = [], [], []
        for place, array in zip(places(planes), self.arrays(planes), strict=True):
            where = f"{path}{place}"
            check_channels(array.shape[0], 1, where, "Give files of one channel each, or correct axes.")
            pixels.append(first_of(array))
            names.append(f"{name}{place}")
            found.append((where, pixels[-1]))
        for images in [found] if blank else [[one] for one in found]:
            check_frames(images)
        return Frames(
            names=tuple(names),
            pixels=tuple(pixels),
            pixel_size=planes.pixel_size,
            path=path,
            dtype=str(planes.image.data.dtype),
            lossy=planes.image.lossy,
        )

    def stack(self, path: Path, root: Path) -> Frames:
        """Read all planes of a stack of single images, whatever the file calls the axis of the stack.

        Raises:
            ImageError, ChannelCountError: see ``frames``.
        """
        try:
            return self.frames(path, root, axes="tyx")
        except ImageError as error:
            try:
                return self.frames(path, root)  # more axes: some programs always write five
            except DenoisplitError:
                raise error from None

    def _is_image(self, entry: Path, root: Path) -> bool:
        """Whether a path is an image: a file, or a folder that is one, but nothing inside such a folder."""
        inside = (part.name.lower() for part in entry.relative_to(root).parents)
        if any(name.endswith(self._containers) for name in inside):
            return False
        return entry.is_file() or (entry.is_dir() and entry.name.lower().endswith(self._containers))

    def _divided(self, pattern: str) -> tuple[str, str]:
        """Split a pattern into that of the file and what follows its name with ``/`` or ``::``."""
        outer, mark, inner = pattern.partition("::")
        parts = [] if mark else outer.split("/")
        ends = [i for i, part in enumerate(parts, 1) if part.lower().endswith(self._containers)]
        if ends:
            outer, mark, inner = "/".join(parts[: ends[0]]), "/", "/".join(parts[ends[0] :])
        if _WILD.search(inner):
            raise ImageError(
                f"{pattern}: one image of a file is meant by its whole name (got {inner!r}). "
                f"Write for example {outer}::raw."
            )
        return outer, f"{mark}{inner}"


def places(planes: Planes) -> list[str]:
    """Return the suffix that names each position of a file, for example `` t=3``."""
    return [
        "".join(f" {axis}={i}" for axis, i in zip(planes.leading, index, strict=True))
        for index in np.ndindex(planes.shape)
    ]


def require_folder(folder: Path) -> None:
    """Refuse a folder that is not there.

    Raises:
        ImageError: it is not, or is a file.
    """
    if folder.is_file():
        raise ImageError(f"{folder}: is a file, but a folder is needed. Give the folder that it lies in.")
    if not folder.is_dir():
        raise ImageError(
            f"{folder}: there is no such folder. Check the path, or put the images or a link to them there."
        )


def key_of(file: Path, folder: Path, pattern: str) -> str:
    """Return the text that the first ``*`` of the pattern stands for in this file."""
    wild = {"**/": "(?:.*/)?", "**": ".*", "*": "([^/]*)", "?": "[^/]"}
    texts, marks = (re.split(r"(\*\*/|\*\*|\*|\?|\[!?\]?[^]/]*\])", pattern)[i::2] for i in (0, 1))
    matched = [wild.get(mark) or _one_sign(mark) for mark in marks]
    expression = "".join(re.escape(text) + own for text, own in zip(texts, [*matched, ""], strict=True))
    found = re.fullmatch(expression, file.relative_to(folder).as_posix())
    return found.group(1) if found and found.lastindex else ""


def _one_sign(brackets: str) -> str:
    """Return the regular expression of a choice of signs in a pattern, such as ``[[]`` or ``[0-9]``."""
    negated = "^" if brackets[1] == "!" else ""
    signs = re.sub(r"([^\w-])", r"\\\1", brackets[1 + len(negated) : -1])
    return f"[{negated}{signs}]"


def partner(of: Path, key: str, found: Mapping[str, Path], what: str, pattern: str) -> Path:
    """Return the partner of a file.

    Raises:
        ImageError: it has none.
    """
    if key not in found:
        raise ImageError(
            f"{of}: it has no {what} partner (expected {pattern.replace('*', key, 1)!r}). "
            f"Add it, leave the file out, or correct the pattern."
        )
    return found[key]


def natural(text: str) -> list[str | int]:
    """Sorting key under which numbers inside text sort by value."""
    return [int(part) if i % 2 else part for i, part in enumerate(re.split(r"(\d+)", text))]
