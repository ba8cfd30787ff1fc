"""Lazy images, whose pixels are read on demand; arrays in memory are the simple case."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar, cast, final

import attrs
import numpy as np

from denoisplit.core.arrays import AnyArray, Window
from denoisplit.core.errors import ImageError, MissingPackageError, in_one_line
from denoisplit.core.images.claims import LARGE, check_memory

LAZY_FROM: Final = LARGE
"""Bytes from which the pixels of a file are read on demand instead of all at once."""


class LazyArray(Protocol):
    """Interface of every image: a NumPy array, a memory map, or lazy pixels."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of positions along every axis."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the pixels."""

    @property
    def ndim(self) -> int:
        """Number of axes."""

    def __len__(self) -> int:
        """Return the number of positions along the first axis."""

    def __iter__(self) -> Iterator[Any]:
        """Yield the pixels at every position along the first axis."""

    def __getitem__(self, key: Any, /) -> Any:
        """Return the pixels at integers, slices and ``...``, as a new NumPy array."""

    def __array__(self) -> AnyArray:
        """Return all pixels."""


def _native(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(dtype).newbyteorder("=")


@final
@attrs.frozen(kw_only=True, eq=False)
class LazyPixels:
    """An image whose pixels a function reads. Nothing is cached here; see ``chunked``.

    Attributes:
        shape: number of positions along every axis.
        dtype: type of the pixels, in the byte order of this machine.
        read: function that returns the pixels of a window; its exceptions become an ``ImageError``.
        source: origin of the pixels, for messages.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any] = attrs.field(converter=_native)
    read: Callable[[Window], AnyArray] = attrs.field(repr=False)
    source: str

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        return (self[place] for place in range(len(self)))

    def __getitem__(self, key: Any) -> Any:
        """Return the pixels at integers, slices and ``...``; a number for a single pixel."""
        region, rest = _region(key, self.shape)
        if any(part.start >= part.stop for part in region):
            return np.empty(tuple(part.stop - part.start for part in region), self.dtype)[rest]
        return np.array(self._pixels(region)[rest], dtype=self.dtype)[()]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> AnyArray:
        if copy is False:
            raise ValueError(f"{self.source}: pixels in a file cannot be read without a copy.")
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


def is_lazy(image: LazyArray) -> bool:
    """Whether an image is lazy: its pixels are read on demand, and are not in memory."""
    return not isinstance(image, np.ndarray)


def made(
    of: Sequence[LazyArray], read: Callable[[Window], AnyArray], shape: Sequence[int], dtype: np.dtype[Any]
) -> LazyArray:
    """Derive an image from others: lazily, or at once if all of these are in memory.

    Args:
        of: the other images.
        read: function that computes the pixels of a window; a pixel must not depend on the window. It may be
            sent to other processes.
        shape: shape of the new image.
        dtype: type of its pixels.
    """
    lazy = [image for image in of if is_lazy(image)]
    if not lazy:
        return read(tuple(slice(0, side) for side in shape))
    source = getattr(lazy[0], "source", "image")
    return LazyPixels(shape=tuple(shape), dtype=dtype, read=read, source=source)


def unreadable(where: str, error: Exception, kind: str = "image") -> ImageError:
    """Build the error for a file that a library cannot read, in one line whatever the library says."""
    reason = in_one_line(error) or type(error).__name__
    return ImageError(
        f"{where}: not a readable {kind} file (got: {reason}). Check that it is complete and really {kind}."
    )


def truncated(path: Path, size: int, needed: int) -> ImageError:
    """Return the error for a file that ends too early."""
    return ImageError(f"{path}: the file is truncated (got {size} bytes of {needed} or more). Copy it again.")


@contextmanager
def reading_file(path: Path, kind: str, where: str = "") -> Iterator[None]:
    """Check that a file exists, and report whatever a library says about it as an ``ImageError``.

    Raises:
        ImageError: the file is missing or unreadable.
    """
    if not path.is_file():
        raise ImageError(f"{path}: there is no such file. Check the path.")
    try:
        yield
    except (ImageError, MissingPackageError):
        raise
    except Exception as error:
        raise unreadable(where or str(path), error, kind) from error


def at_hand(image: LazyArray) -> LazyArray:
    """Read small images at once, so that a fault in a file shows when it is opened."""
    return np.asarray(image) if is_small(math.prod(image.shape) * image.dtype.itemsize) else image


def is_small(size: int) -> bool:
    """Whether an image of ``size`` bytes is read at once."""
    return size < LAZY_FROM


def mapped(
    path: Path, *, shape: Sequence[int], dtype: np.dtype[Any], offset: int = 0, where: str = ""
) -> LazyPixels:
    """Return pixels that lie in one piece in a file, last axis fastest, as lazy pixels.

    The file is mapped anew for every region, so that pixels do not stay in the memory of the process.

    Raises:
        ImageError: the file is too short.
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


def _region(key: Any, shape: tuple[int, ...]) -> tuple[Window, tuple[Any, ...]]:
    """Return the box around the pixels of an index, and their index within the box."""
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
        places = range(side)[part]  # a range knows its ends without a walk through its values
        low, high = (min(places[0], places[-1]), max(places[0], places[-1]) + 1) if places else (0, 0)
        region.append(slice(low, high))
        rest.append(slice(None, None, places.step) if places else slice(None))
    return tuple(region), tuple(rest)


Given = TypeVar("Given")


def without_mask(given: Given, name: str, fill: str = "numpy.ma.median({})") -> Given:
    """Turn a masked array without masked pixels into a plain array; return everything else unchanged.

    Args:
        given: pixels, or anything else.
        name: name of the argument, for the message.
        fill: suggested value for masked pixels, with ``{}`` for the name of the argument.

    Raises:
        ImageError: some pixels are masked: their values mean nothing, and the mask would be ignored.
    """
    if not isinstance(given, np.ma.MaskedArray):
        return given
    if count := int(np.count_nonzero(np.ma.getmaskarray(given))):
        raise ImageError(
            f"{name}: {count} of {given.size} pixels are masked, and what is under a mask would be used. "
            f"Crop them, or fill them: {name}.filled({fill.format(name)})."
        )
    return cast(Given, np.asarray(given))
