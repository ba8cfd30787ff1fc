"""Writing of images region by region into a file beside their place, moved there when complete."""

import math
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, final

import numpy as np

from denoisplit.core.arrays import AnyArray, Window
from denoisplit.core.errors import ImageError
from denoisplit.core.images.axes import reorder
from denoisplit.core.images.block_walks import pieces
from denoisplit.core.images.claims import check_space
from denoisplit.core.images.image import Image, ImageLayout
from denoisplit.core.images.lazy import mapped
from denoisplit.core.staging import Staging, place_of, staged

Put = Callable[[Window, AnyArray], object]
"""Function that writes pixels to a region, with axes in the order in which a format stores them."""

Begin = Callable[[Path], AbstractContextManager[Put]]
"""Context that makes a file of the right size, gives a function to write into it, and completes it."""

PIECE = 2**26
"""Number of bytes to copy at a time."""

_MOST_COMPRESSED: Final = 4
"""By how many times a compressed file may be smaller than its pixels; real images have 1 to 3."""


class ImageWriter(ABC):
    """A new image that is written region by region. Use it in a ``with`` statement.

    At the end of the block the complete image appears under its name. After an error nothing appears, and an
    existing file stays.
    """

    @abstractmethod
    def write(self, region: tuple[slice, ...], pixels: AnyArray) -> None:
        """Write the pixels of a region; regions must not overlap, and must cover the image in the end.

        Args:
            region: one slice per axis of the layout.
            pixels: pixels of the region, with axes in the order of the layout.

        Raises:
            ImageError: the pixels do not fit the region, or there is no space.
        """

    @abstractmethod
    def finish(self) -> None:
        """Complete the image and let it appear under its name.

        Raises:
            ImageError: pixels are missing, or there is no space.
        """

    @abstractmethod
    def discard(self) -> None:
        """Discard everything that was written."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.finish()
        else:
            self.discard()


@final
class RegionWriter(ImageWriter):
    """Writer to a temporary file or folder beside ``path``.

    Args:
        path: path of the image.
        layout: layout of the image.
        stored: letters of the axes in the order of the file; axes that the layout lacks get length 1.
        begin: function that makes the file.
        complete: function that gets the finished file and the path of the image; None moves the file there.
        replaceable: function that tells whether an existing path may be replaced.
    """

    def __init__(
        self,
        path: Path,
        layout: ImageLayout,
        *,
        stored: str,
        begin: Begin,
        complete: Callable[[Path, Path], None] | None = None,
        replaceable: Callable[[Path], bool] = Path.is_file,
    ) -> None:
        self._path, self._layout, self._stored, self._complete = path, layout, stored, complete
        if path.exists() and not replaceable(path):
            raise ImageError(
                f"{path}: something else has this name (got a {'folder' if path.is_dir() else 'file'}). "
                f"Choose another name, or move it."
            )
        check_space(math.prod(layout.shape) * layout.dtype.itemsize // _MOST_COMPRESSED, path)
        self._missing = math.prod(layout.shape)
        self._open = ExitStack()
        with _explained(path):
            self._staging = Staging(path)
        try:
            with _explained(path):
                self._put = self._open.enter_context(begin(self._staging.new))
        except BaseException:
            self.discard()
            raise

    def write(self, region: tuple[slice, ...], pixels: AnyArray) -> None:
        """Write the pixels of a region."""
        shape = self._layout.shape
        if len(region) != len(shape):
            raise ImageError(
                f"{self._path}: a region needs one slice per axis of {self._layout.axes!r} (got {region}). "
                f"Give all of them."
            )
        box = [slice(*part.indices(side)) for part, side in zip(region, shape, strict=True)]
        wanted = tuple(len(range(side)[part]) for part, side in zip(region, shape, strict=True))
        if pixels.shape != wanted or any(part.step != 1 for part in box):
            raise ImageError(
                f"{self._path}: the pixels do not fit their region (got shape {pixels.shape} for {wanted}). "
                f"Write regions without steps inside {shape}."
            )
        axes = self._layout.axes
        place = tuple(box[axes.index(letter)] if letter in axes else slice(0, 1) for letter in self._stored)
        with _explained(self._path):
            self._put(place, np.asarray(reorder(pixels, axes, self._stored)))
        self._missing -= pixels.size

    def finish(self) -> None:
        """Complete the image and let it appear under its name."""
        try:
            with _explained(self._path):
                if self._missing > 0:
                    raise ImageError(
                        f"{self._path}: {self._missing} pixels were never written. Write all regions."
                    )
                self._open.close()
                if self._complete is None:
                    self._staging.publish()
                else:
                    self._complete(self._staging.new, self._staging.path)
        finally:
            self.discard()

    def discard(self) -> None:
        """Remove the temporary file."""
        with suppress(Exception):  # the error that led here is the one to report
            self._open.close()
        self._staging.close()


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary file beside ``path``, and move it there when complete.

    Raises:
        ImageError: the folder or the file cannot be written.
    """
    if path.is_dir():
        raise ImageError(f"{path}: is a folder. Give the name of a file.")
    with _explained(path), staged(path) as temporary:
        write(temporary)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        # HDF5 reports the number of an error with a long text.
        reason = os.strerror(error.errno) if error.errno else " ".join(str(error).split())
        raise ImageError(f"{path}: it cannot be written (got: {reason}). Check folder and space.") from error


@contextmanager
def raw_file(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any], offset: int = 0) -> Iterator[Put]:
    """Open a file for pixels in one piece, after ``offset`` bytes that exist or become zero."""
    size = offset + math.prod(shape) * dtype.itemsize
    check_space(size, place_of(path))
    with path.open("r+b" if path.exists() else "w+b") as file:
        # Reserve the space now: on a full disk, writing to a mapped page would kill the process.
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        elif file.seek(0, os.SEEK_END) < size:  # never cut off what a format has put behind the pixels
            file.truncate(size)

    def put(region: Window, pixels: AnyArray) -> None:
        # Mapped anew for every region, so that written pages do not stay in the memory of the process.
        target = np.memmap(path, dtype=dtype, mode="r+", offset=offset, shape=shape)
        target[region] = pixels
        target.flush()

    yield put


def spooled(write: Callable[[Path, Image], object], path: Path, layout: ImageLayout) -> ImageWriter:
    """Return a writer for a format that writes only whole images: a raw file collects regions first."""

    def complete(raw: Path, target: Path) -> None:
        data = mapped(raw, shape=layout.shape, dtype=layout.dtype, where=str(path))
        write(target, image_of(layout, data, str(path)))

    return RegionWriter(
        path,
        layout,
        stored=layout.axes,
        begin=lambda raw: raw_file(raw, layout.shape, layout.dtype),
        complete=complete,
        replaceable=lambda _: True,
    )


def image_of(layout: ImageLayout, data: Any, source: str) -> Image:
    """Join pixels and their metadata to an image."""
    return Image(
        data=data,
        axes=layout.axes,
        channel_names=layout.channel_names,
        pixel_size=layout.pixel_size,
        time_interval=layout.time_interval,
        intensity_scale=layout.intensity_scale,
        source=source,
    )


def copy_pieces(image: Image, writer: ImageWriter) -> None:
    """Write an image in pieces, so that images larger than memory can be copied."""
    with writer:
        for region in pieces(image.data.shape, PIECE // image.data.dtype.itemsize):
            writer.write(region, np.asarray(image.data[region]))
