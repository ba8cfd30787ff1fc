"""Image files that are written again with pixels that are not finite."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs
import numpy as np

from denoisplit.core.arrays import AnyArray, Float32Array
from denoisplit.core.errors import DenoisplitError
from denoisplit.core.images.io import choose_format
from denoisplit.core.storage.image_files import installed_formats

_BARE: Final = ".npy"
_NUMBERS: Final = "iuf"
"""Kinds of NumPy's types whose arrays may be images."""

_APART: Final = 200
"""Pixels from one that is not finite to the next, so that the smallest planes have some."""


def files_of_every_sort(folder: Path) -> Iterator[Path]:
    """Yield files of a folder and those in it; of files whose names differ in their digits, the first."""
    seen = set()
    for path in sorted(folder.rglob("*")):
        sort = re.sub(r"\d+", "", path.relative_to(folder).as_posix())
        if path.is_file() and sort not in seen:
            seen.add(sort)
            yield path


def write_again(path: Path, wrong: float | None = None) -> bool:
    """Write an image as float32, with some pixels that are ``wrong``; as it is without.

    Returns:
        Whether it could be written: NumPy's arrays of numbers and what an installed format reads and writes.
    """
    if path.suffix == _BARE:
        stored = np.load(path)
        if stored.dtype.kind not in _NUMBERS:  # names, a table, or what is used and what not
            return False
        np.save(path, _spoilt(stored, wrong))
        return True
    try:
        image_format = choose_format(path, installed_formats())
        if not path.name.lower().endswith(image_format.suffixes):  # a part of an image that is a folder
            return False
        image = image_format.open(path)
        image_format.write(path, attrs.evolve(image, data=_spoilt(image.pixels, wrong)))
    except DenoisplitError:
        return False
    return True


def _spoilt(pixels: AnyArray, wrong: float | None) -> Float32Array:
    made: Float32Array = np.array(pixels, dtype=np.float32)
    if wrong is not None:
        made.reshape(-1)[5::_APART] = wrong
    return made
