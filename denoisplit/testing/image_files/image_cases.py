"""Helpers to examine image formats: paths, regions, impossible sizes and refusals."""

import logging
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar
from unittest import mock

from hypothesis import strategies as st

from denoisplit.core.errors import ImageError
from denoisplit.core.images import lazy, writing
from denoisplit.core.images.bases import ImageFormat
from denoisplit.testing.refusals import is_refused

Record = TypeVar("Record")

IMPOSSIBLE: Final = (
    (0.0, "µm", "s"),
    (math.nan, "µm", "s"),
    (math.inf, "µm", "s"),
    (1e-30, "µm", "s"),
    (1e300, "µm", "s"),
    (0.5, "pixel", "frame"),
    (0.5, "null", "null"),
)
"""Numbers, with units of length and time, that are impossible as a pixel size or time interval."""


EVERY_TYPE: Final = (
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64", "bool", "complex64"),
)
"""Types of pixels that numpy has."""


def forced(record: Record, **values: object) -> Record:
    """Return a record with values that its validators refuse."""
    for name, value in values.items():
        object.__setattr__(record, name, value)
    return record


def makes(action: Callable[[], object]) -> bool:
    """Whether a file can be made at all."""
    with suppress(Exception):  # writing an impossible record may fail in any way
        action()
        return True
    return False


@contextmanager
def path_for(name: str) -> Iterator[Path]:
    """Give the path of a file that does not exist, in an empty folder; a suffix is enough as its name."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / (f"image{name}" if name.startswith(".") else name)


@contextmanager
def read_in_pieces() -> Iterator[None]:
    """Read images of any size as if they did not fit into memory."""
    with mock.patch.object(lazy, "LAZY_FROM", 0):
        yield


@contextmanager
def with_holes() -> Iterator[None]:
    """Let files be larger than what is written to them, whatever room there is."""

    def enlarged(file: int, _: int, size: int) -> None:
        if os.fstat(file).st_size < size:
            os.ftruncate(file, size)

    sparse = mock.patch.object(os, "posix_fallocate", enlarged, create=True)
    with sparse, mock.patch.object(writing, "check_space", return_value=None):
        yield


def places(side: int) -> st.SearchStrategy[Any]:
    """Draw a whole number or a slice along an axis."""
    ends = st.integers(-side, side)
    return st.integers(0, side - 1) | st.builds(slice, ends, ends, st.integers(1, 3)) | st.just(slice(None))


def quarters(shape: tuple[int, ...]) -> list[tuple[slice, ...]]:
    """Return regions that cover an image: halves of its last two axes, for every index along the first."""
    *leading, height, width = shape
    rows = [slice(0, height // 2), slice(height // 2, height)]
    columns = [slice(0, width // 2), slice(width // 2, width)]
    inner = [slice(0, side) for side in leading[1:]]
    firsts = [slice(i, i + 1) for i in range(leading[0])]
    return [(first, *inner, row, column) for first in firsts for row in rows for column in columns]


def assert_refused(action: Any, what: str) -> None:
    """Check that an action raises an ``ImageError`` of one line."""
    assert is_refused(action, ImageError, what), f"{what} is not refused with an ImageError"


class _Heard(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


@contextmanager
def nothing_is_logged(what: str) -> Iterator[None]:
    """Check that a block logs no warning, and no error."""
    heard, root = _Heard(), logging.getLogger()
    root.addHandler(heard)
    try:
        yield
    finally:
        root.removeHandler(heard)
    assert not heard.said, f"{what}: {heard.said[0]} is logged"


def assert_more_is_kept(image_format: ImageFormat, path: Path) -> None:
    """Check that the folder of an image is not replaced where it has a file or an image more."""
    notes = path / "notes.txt"
    notes.write_text("years of work", encoding="utf-8")
    assert not image_format.may_replace(path), "an image with something else beside it may be replaced"
    notes.unlink()
    copy = path.with_name("copy")
    for name in ("inside", "7"):
        inside = path / "0" / name
        shutil.copytree(path, copy)
        inside.parent.mkdir(exist_ok=True)
        copy.rename(inside)
        assert not image_format.may_replace(path), f"an image with another inside ({name}) may be replaced"
        shutil.rmtree(inside)
