"""Search of a folder for images."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path, PurePosixPath

from denoisplit.core.errors import ImageError
from denoisplit.core.images.bases import Image, ImageFormat
from denoisplit.core.images.file_kinds import wrongly_named
from denoisplit.core.images.file_sets import own_images
from denoisplit.core.images.hidden import is_hidden
from denoisplit.core.images.io import open_image
from denoisplit.core.survey.findings import Found, FoundImage, Skipped

Progress = Callable[[int, int], None]
_LISTED = 3
_MOST = 10_000


def find_images(
    folder: Path,
    formats: Sequence[ImageFormat],
    *,
    axes: str = "",
    progress: Progress = lambda _done, _total: None,
) -> Found:
    """Find all images of a folder and its sub-folders, except hidden ones.

    Raises:
        ImageError: no such folder, no image in it, or none that can be used.
    """
    if folder.is_file():
        raise ImageError(f"{folder}: is a file, but a folder is needed. Give --data the folder it lies in.")
    if not folder.is_dir():
        raise ImageError(f"{folder}: there is no such folder. Give --data the folder with your images.")
    suffixes = tuple(suffix for known in formats for suffix in known.suffixes)
    files = sorted(
        own_images([*_candidates(folder, suffixes)], formats), key=lambda path: natural(path.as_posix())
    )
    images: list[FoundImage] = []
    skipped: list[Skipped] = []
    for done, path in enumerate(files):
        progress(done, len(files))
        relative = PurePosixPath(path.relative_to(folder).as_posix())
        try:
            image = open_image(path, formats, axes or None)
        except ImageError as error:
            # The path is shown anyway.
            skipped.append(Skipped(relative, str(error).removeprefix(f"{path}: ")))
            continue
        reason = _unfit(image)
        if reason:
            skipped.append(Skipped(relative, reason))
        else:
            images.append(_record(image, relative))
    if not images:
        raise _nothing(folder, suffixes, skipped)
    return Found(folder=folder, axes=axes, images=tuple(images), skipped=tuple(skipped))


def natural(text: str) -> list[tuple[int, str]]:
    """Return a sorting key under which numbers inside text sort by value."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", text)]


def _candidates(folder: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    """Yield files, and folders that are one image, by their endings."""
    for entry in folder.iterdir():
        if is_hidden(Path(entry.name)):
            continue
        if entry.name.lower().endswith(suffixes):
            yield entry
        elif entry.is_dir() and not entry.is_symlink():
            yield from _candidates(entry, suffixes)


def _unfit(image: Image) -> str:
    """Return why an opened image is of no use for training; empty where it is usable."""
    if image.data.dtype.kind not in "uif":
        return f"pixels must be real numbers (got {image.data.dtype}). Save intensities."
    if 0 in image.data.shape:
        return f"it has no pixels (got shape {image.data.shape}). Check the file."
    return ""


def _record(image: Image, path: PurePosixPath) -> FoundImage:
    return FoundImage(
        path=path,
        axes=image.axes,
        shape=tuple(int(side) for side in image.data.shape),
        dtype=image.data.dtype.name,
        channel_names=image.channel_names,
        pixel_size=image.pixel_size,
    )


def _nothing(folder: Path, suffixes: Sequence[str], skipped: Sequence[Skipped]) -> ImageError:
    if not skipped:
        known = ", ".join(sorted(set(suffixes)))
        return ImageError(
            f"{folder}: there is no image in it (got {_there(folder)}; known: {known}). "
            f"Give the folder with your images, or save them in one of these formats."
        )
    told = " ".join(f"{listed(paths)}: {reason}" for reason, paths in by_reason(skipped)[:_LISTED])
    return ImageError(
        f"{folder}: none of its {len(skipped)} images can be used. {told} "
        f"Axes are given as --axes, for example --axes cyx for channels, tyx for a movie, zyx for a stack."
    )


def by_reason(skipped: Sequence[Skipped]) -> list[tuple[str, list[str]]]:
    """Group left-out files by reason."""
    reasons: dict[str, list[str]] = {}
    for one in skipped:
        reasons.setdefault(one.reason, []).append(str(one.path))
    return list(reasons.items())


def _there(folder: Path) -> str:
    """List the endings in a folder, the most frequent first, with the kind of such files if known."""
    by_ending: dict[str, list[Path]] = {}
    for path in islice(folder.rglob("*"), _MOST):
        if path.is_file() and not is_hidden(path.relative_to(folder)):
            by_ending.setdefault(path.suffix.lower() or "without ending", []).append(path)
    frequent = sorted(by_ending.items(), key=lambda found: (-len(found[1]), found[0]))[:_LISTED]
    kinds = [wrongly_named(min(files)) for _, files in frequent]
    return (
        ", ".join(
            f"{len(files)} {ending}{f', {kind.what}' if kind else ''}"
            for (ending, files), kind in zip(frequent, kinds, strict=True)
        )
        or "no file"
    )


def listed(names: Sequence[str]) -> str:
    """List the first few names, and how many more there are."""
    shown = ", ".join(names[:_LISTED])
    return shown if len(names) <= _LISTED else f"{shown} and {len(names) - _LISTED} more"


def listed_frames(names: Sequence[str]) -> str:
    """List frames likewise, each under the name of its file."""
    frames = Counter(names)
    return listed([name if n == 1 else f"{n} frames of {name}" for name, n in frames.items()])
