"""TIFF files with strips and tiles that are shorter than their pixels, or in other places."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import tifffile

from denoisplit.testing.image_files.foreign_files import Foreign, counts, image

_PIECES: Final[tuple[dict[str, Any], ...]] = (
    {"rowsperstrip": 7},
    {"tile": (16, 32)},
    {"tile": (2, 16, 32), "volumetric": True},
    {"rowsperstrip": 7, "planarconfig": "separate"},
)


def short_pieces() -> Iterator[Foreign]:
    """Files whose first or last strip or tile has a pixel less than it should have."""
    large = counts(4, 50, 70)
    for how in _PIECES:
        tag, letters = 325 if "tile" in how else 279, "CYX" if "planarconfig" in how else "ZYX"
        sort = {"photometric": "minisblack", "metadata": {"axes": letters}} | how
        write = partial(tifffile.imwrite, data=large, **sort)
        yield Foreign(what=f"{how}", name="a.tif", write=write, image=image(large, letters.lower()))
        for place in (0, -1):
            cut = partial(with_pieces, write=write, change=partial(_lessened, place=place), tag=tag)
            yield Foreign(what=f"{how}, a pixel less", name="a.tif", write=cut)


def _lessened(lengths: tuple[int, ...], place: int) -> tuple[int, ...]:
    found = list(lengths)
    found[place] -= 2
    return tuple(found)


def with_pieces(path: Path, write: Any, change: Any, tag: int, page: int = 0) -> None:
    """Write a file with other positions (tag 273) or lengths (279) of the strips of a page."""
    write(path)
    with tifffile.TiffFile(path, mode="r+") as tif:
        found = tif.pages[page].aspage().tags[tag]
        found.overwrite(change(found.value))
