"""The images of one call, from files, folders, patterns and lists, and the names of their results."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from glob import has_magic
from pathlib import Path
from typing import Final

import attrs

from denoisplit.core.errors import ImageError
from denoisplit.core.images.bases import ImageFormat
from denoisplit.core.images.io import choose_format, split_inside
from denoisplit.core.images.spreadsheets import lines
from denoisplit.core.storage.image_files import installed_formats
from denoisplit.core.storage.write_guards import is_same

ENDING: Final = ".ome.tif"
"""Default ending of results."""

_TABLE: Final = ".csv"
_COLUMN: Final = "file"
_LISTED: Final = 3


@attrs.frozen
class Item:
    """An image, and the file of its result."""

    image: Path
    out: Path


def is_one(given: Sequence[Path], out: Path) -> bool:
    """Whether one image becomes one file: no folder, pattern or table is given, nor a folder for results."""
    formats = installed_formats()
    (first, *others) = given
    if others or (out.is_dir() and not _is_image(out, formats)):
        return False
    listed = first.is_dir() or first.suffix.lower() == _TABLE or has_magic(str(first))
    return not listed or _is_image(first, formats)


def items(given: Iterable[Path], folder: Path, ending: str = ENDING) -> tuple[Item, ...]:
    """Every image with the name of its result, in the order of what was given.

    Args:
        given: files; folders, whose images are taken; patterns such as ``cells/*.tif``; and tables (.csv)
            with a column ``file``, whose paths are relative to the table.
        folder: folder of the results.
        ending: ending of their names, which are otherwise those of the images.

    Raises:
        ImageError: no image, an image that does not exist, two results of one name, or a folder that is a
            file or is named like an image.
    """
    given, formats = list(given), installed_formats()
    if any(one.is_dir() and is_same(one, folder) for one in given):
        raise ImageError(
            f"{folder}: holds the images themselves, and results would be taken for images the next time. "
            f"Choose another --out."
        )
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir() or (_is_image(folder, formats) and there is not folder):
        got = "the name of a file" if there.is_dir() else f"the file {there}"
        raise ImageError(f"{folder}: the results of several images need a folder (got {got}). Give a folder.")
    found = images_among(given)
    named = [Item(image, folder / f"{_name(image, formats)}{ending}") for image in found]
    sources: dict[str, list[Path]] = defaultdict(list)
    for item in named:
        sources[item.out.name.casefold()].append(item.image)
    for same in sources.values():
        if len(same) > 1:
            raise ImageError(
                f"{folder}: {len(same)} images would get the same name there (got {_shown(same)}). Predict "
                f"them into separate folders."
            )
    return tuple(named)


def images_among(given: Iterable[Path]) -> list[Path]:
    """Every image once, in the order of what was given; see ``items``.

    Raises:
        ImageError: there is none.
    """
    formats = installed_formats()
    found = list(dict.fromkeys(image for one in given for image in _images(one, formats)))
    if not found:
        raise ImageError("predict: no image was given. Name files, folders, patterns or a table.")
    return found


def _images(given: Path, formats: Sequence[ImageFormat]) -> list[Path]:
    if _is_image(given, formats):
        return [given]
    if given.is_dir():
        inside = sorted(path for path in given.iterdir() if not path.name.startswith("."))
        found = _images_of(inside, formats)
        if not found:
            raise ImageError(
                f"{given}: holds no image (got {_shown(inside) or 'nothing'}). Name another folder."
            )
        return found
    if given.suffix.lower() == _TABLE:
        rows = [cells[_COLUMN] for _, cells in lines(given, [_COLUMN], [_COLUMN]) if cells.get(_COLUMN)]
        if not rows:
            raise ImageError(f"{given}: names no image. Write one path per line in the column {_COLUMN}.")
        return [given.parent / row for row in rows]
    if has_magic(str(given)):
        root = Path(given.anchor) if given.is_absolute() else Path()
        pattern = str(given.relative_to(given.anchor)) if given.is_absolute() else str(given)
        found = _images_of(sorted(root.glob(pattern)), formats)
        if not found:
            raise ImageError(f"{given}: no image matches. Look at the pattern and the folder.")
        return found
    if not given.exists():
        raise ImageError(f"{given}: there is no such file or folder. Check the path.")
    return [given]  # its errors are reported when it is opened


def _images_of(listed: Iterable[Path], formats: Sequence[ImageFormat]) -> list[Path]:
    """The images among these paths; a folder may be named like a file."""
    named = (path for path in listed if _is_image(path, formats))
    return [path for path in named if not path.is_dir() or choose_format(path, formats).holds_several]


def _is_image(path: Path, formats: Sequence[ImageFormat]) -> bool:
    """Whether a format reads files of this name, and the file exists."""
    try:
        choose_format(path, formats)
    except ImageError:
        return False
    return not has_magic(str(path)) or path.exists()


def _name(image: Path, formats: Sequence[ImageFormat]) -> str:
    """``cells`` for ``cells.ome.tif``, ``cells.raw`` for ``cells.h5/raw``."""
    suffixes = sorted((s for one in formats for s in one.suffixes), key=len, reverse=True)
    file, inside = split_inside(image, suffixes)
    name = next((file.name[: -len(s)] for s in suffixes if file.name.lower().endswith(s)), file.stem)
    return ".".join([name, *(part for part in inside.split("/") if part)])


def _shown(paths: Sequence[Path]) -> str:
    listed = ", ".join(path.name for path in paths[:_LISTED])
    return f"{listed} and {len(paths) - _LISTED} more" if len(paths) > _LISTED else listed
