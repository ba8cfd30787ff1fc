"""Pixels that are read where they are asked for."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, final

import attrs
import numpy as np

from denoisplit.core.arrays import AnyArray, Window
from denoisplit.core.errors import ImageError, in_one_line
from denoisplit.core.images.bases import LazyArray
from denoisplit.core.images.claims import LARGE, check_memory

LAZY_FROM: Final = LARGE
"""Bytes from which the pixels of a file are read piece by piece instead of all at once."""


def _native(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(dtype).newbyteorder("=")


@final
@attrs.frozen(kw_only=True, eq=False)
class LazyPixels:
    """An array whose pixels a function reads. Nothing is kept here; see ``chunked``.

    Attributes:
        shape: positions along every axis.
        dtype: of the pixels that come out, in the byte order of this machine.
        read: gives the pixels of a region; what it raises becomes an ``ImageError``.
        source: where the pixels come from, for messages.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any] = attrs.field(converter=_native)
    read: Callable[[Window], AnyArray] = attrs.field(repr=False)
    source: str

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of all pixels."""
        return math.prod(self.shape) * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Any:
        """The pixels at whole numbers, slices and ``...``; a number for a single pixel."""
        region, rest = _region(key, self.shape)
        if any(part.start >= part.stop for part in region):
            return np.empty(tuple(part.stop - part.start for part in region), self.dtype)[rest]
        return np.array(self._pixels(region)[rest], dtype=self.dtype)[()]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> AnyArray:
        if copy is False:
            raise ValueError(f"{self.source}: pixels that are in a file cannot be had without a copy.")
        return np.asarray(self[...], dtype=dtype)

    def _pixels(self, region: Window) -> AnyArray:
        check_memory(math.prod(part.stop - part.start for part in region) * self.dtype.itemsize, self.source)
        try:
            found = np.asarray(self.read(region))
        except ImageError:
            raise
        except Exception as error:
            raise unreadable(self.source, error) from error
        wanted = tuple(part.stop - part.start for part in region)
        if found.shape != wanted:
            raise ImageError(
                f"{self.source}: the file is incomplete (got pixels of shape {found.shape} "
                f"instead of {wanted}). Copy it again."
            )
        return found


def unreadable(where: str, error: Exception, kind: str = "image") -> ImageError:
    """The error for a file that a library cannot read; one line, whatever the library says."""
    reason = in_one_line(error) or type(error).__name__
    return ImageError(
        f"{where}: not a readable {kind} file (got: {reason}). Check that it is complete and really {kind}."
    )


def at_hand(pixels: LazyPixels) -> LazyArray:
    """Small images are read at once, so that what is wrong with a file shows when it is opened."""
    return np.asarray(pixels) if is_small(pixels.nbytes) else pixels


def is_small(size: int) -> bool:
    """Whether pixels of so many bytes are read at once."""
    return size < LAZY_FROM


def mapped(
    path: Path, *, shape: Sequence[int], dtype: np.dtype[Any], offset: int = 0, where: str = ""
) -> LazyPixels:
    """Pixels that lie in one piece in a file, last axis fastest.

    The file is mapped for every region anew: what was read does not stay in the memory of the process.

    Raises:
        ImageError: the file ends before them.
    """
    shape = tuple(int(side) for side in shape)
    needed, size = offset + math.prod(shape) * np.dtype(dtype).itemsize, path.stat().st_size
    if size < needed:
        raise ImageError(
            f"{where or path}: the file is truncated (got {size} bytes of {needed}). Copy it again."
        )
    read = partial(_read_mapped, path, shape, np.dtype(dtype), offset)
    return LazyPixels(shape=shape, dtype=dtype, read=read, source=where or str(path))


def _read_mapped(
    path: Path, shape: tuple[int, ...], dtype: np.dtype[Any], offset: int, region: Window
) -> AnyArray:
    return np.array(np.memmap(path, dtype=dtype, mode="r", offset=offset, shape=shape)[region])


def rearranged(data: LazyArray, source: Sequence[int | None], where: str = "pixels") -> LazyArray:
    """Axes in another order: entry i says which axis of ``data`` comes there, None for a new one of length 1.

    Axes that are left out have length 1. Numpy arrays give views.
    """
    kept = [axis for axis in source if axis is not None]
    if isinstance(data, np.ndarray):
        squeezed = data[tuple(slice(None) if axis in kept else 0 for axis in range(data.ndim))]
        moved = np.transpose(squeezed, [sorted(kept).index(axis) for axis in kept])
        return moved[tuple(None if axis is None else slice(None) for axis in source)]
    if list(source) == list(range(data.ndim)):
        return data
    return LazyPixels(
        shape=tuple(1 if axis is None else data.shape[axis] for axis in source),
        dtype=data.dtype,
        read=partial(_read_rearranged, data, tuple(source)),
        source=getattr(data, "source", where),
    )


def _read_rearranged(data: LazyArray, source: tuple[int | None, ...], region: Window) -> AnyArray:
    asked = [slice(0, 1)] * data.ndim
    for axis, part in zip(source, region, strict=True):
        if axis is not None:
            asked[axis] = part
    found = rearranged(np.asarray(data[tuple(asked)]), source)
    # A new axis of length 1 may be asked for in part, that is, whole: everything else is cut already.
    return np.asarray(found)


def stacked(parts: Sequence[LazyArray], where: str) -> LazyPixels:
    """Arrays of one shape and type along a new first axis."""
    first = parts[0]
    return LazyPixels(
        shape=(len(parts), *first.shape),
        dtype=first.dtype,
        read=partial(_read_stacked, tuple(parts)),
        source=where,
    )


def _read_stacked(parts: tuple[LazyArray, ...], region: Window) -> AnyArray:
    return np.stack([np.asarray(part[region[1:]]) for part in parts[region[0]]])


def _region(key: Any, shape: tuple[int, ...]) -> tuple[Window, tuple[Any, ...]]:
    """The box around what is asked for, and what to take of the box."""
    parts = list(key) if isinstance(key, tuple) else [key]
    if any(part is Ellipsis for part in parts):
        at = next(i for i, part in enumerate(parts) if part is Ellipsis)
        parts[at : at + 1] = [slice(None)] * (len(shape) - len(parts) + 1)
    parts += [slice(None)] * (len(shape) - len(parts))
    if len(parts) != len(shape):
        raise IndexError(f"too many indices (got {len(parts)} for {len(shape)} axes)")
    region: list[slice] = []
    rest: list[Any] = []
    for part, side in zip(parts, shape, strict=True):
        if not isinstance(part, slice):
            at = range(side)[part]
            region.append(slice(at, at + 1))
            rest.append(0)
            continue
        places = range(side)[part]  # its ends are known without a walk, however many there are
        low, high = (min(places[0], places[-1]), max(places[0], places[-1]) + 1) if places else (0, 0)
        region.append(slice(low, high))
        rest.append(slice(None, None, places.step) if places else slice(None))
    return tuple(region), tuple(rest)
