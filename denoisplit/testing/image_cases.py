"""Where the exam of image formats writes, what it reads, and how a refusal has to look."""

import math
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar
from unittest import mock

import pytest
from hypothesis import strategies as st

from denoisplit.core.errors import ImageError
from denoisplit.core.images import lazy
from denoisplit.testing.suite import one_line

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
"""Numbers with units of length and time that are no size of a pixel, and no time between two images."""


def forced(record: Record, **values: object) -> Record:
    """A record with values that it refuses."""
    for name, value in values.items():
        object.__setattr__(record, name, value)
    return record


def makes(action: Callable[[], object]) -> bool:
    """Whether a file can be made at all."""
    with suppress(Exception):  # what an impossible record leads to when it is written is not asked
        action()
        return True
    return False


@contextmanager
def path_for(name: str) -> Iterator[Path]:
    """Path of a file that does not exist, alone in its folder; of its name, the suffix is enough."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / (f"image{name}" if name.startswith(".") else name)


@contextmanager
def read_in_pieces() -> Iterator[None]:
    """Images of any size are read as those are that do not fit into memory."""
    with mock.patch.object(lazy, "LAZY_FROM", 0):
        yield


def places(side: int) -> st.SearchStrategy[Any]:
    """A whole number or a slice along an axis."""
    ends = st.integers(-side, side)
    return st.integers(0, side - 1) | st.builds(slice, ends, ends, st.integers(1, 3)) | st.just(slice(None))


def quarters(shape: tuple[int, ...]) -> list[tuple[slice, ...]]:
    """Regions that cover an image: both halves of its last two axes, for every place along the first."""
    *leading, height, width = shape
    rows = [slice(0, height // 2), slice(height // 2, height)]
    columns = [slice(0, width // 2), slice(width // 2, width)]
    inner = [slice(0, side) for side in leading[1:]]
    firsts = [slice(i, i + 1) for i in range(leading[0])]
    return [(first, *inner, row, column) for first in firsts for row in rows for column in columns]


def assert_refused(action: Any, what: str) -> None:
    """The action ends in an ``ImageError`` of one line."""
    try:
        action()
    except ImageError as error:
        short = one_line(error)
    else:
        pytest.fail(f"{what} is not refused with an ImageError")
    assert short, f"the message on {what} has several lines or none"
