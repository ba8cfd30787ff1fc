"""Base of microscope formats, which are only read, and whose files hold several images."""

from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import attrs

from denoisplit.core.errors import ImageError, MissingPackageError
from denoisplit.core.images.bases import Image, ImageFormat, ImageLayout, ImageWriter
from denoisplit.core.images.io import split_inside
from denoisplit.core.images.lazy import unreadable
from denoisplit.plugins.image_formats._several import Named, one_image, only_read


class MicroscopeFormat(ImageFormat):
    """A format that is only read. ``called`` is its name in messages."""

    @attrs.frozen(kw_only=True)
    class Options:
        """The format has no options."""

    called: str
    holds_several = True

    def __init__(self, options: Options) -> None:
        self.options = options

    @abstractmethod
    def images(self, file: Path, where: str) -> AbstractContextManager[Sequence[Named]]:
        """Open a file and give its images; ``where`` is for messages."""

    def open(self, path: Path, *, axes: str | None = None) -> Image:
        """Open one image of a file, or all; images of 256 MiB and more are read lazily, part by part.

        Raises:
            ImageError: missing, truncated or unreadable file, missing or differing images, an RGB picture, or
                axes that are unknown or do not fit.
            MissingPackageError: the package that reads such files is not installed.
        """
        file, inside = split_inside(path, self.suffixes)
        if not file.is_file():
            raise ImageError(f"{file}: there is no such file. Check the path.")
        try:
            with self.images(file, str(path)) as found:
                return one_image(found, path, file, inside, axes)
        except (ImageError, MissingPackageError):
            raise
        except Exception as error:
            raise unreadable(str(path), error, self.called) from error

    def write(self, path: Path, image: Image) -> None:
        """Refuse to write: such files are only read.

        Raises:
            ImageError: always.
        """
        raise only_read(path, image.layout)

    def create(self, path: Path, layout: ImageLayout) -> ImageWriter:
        """Refuse to write: such files are only read."""
        raise only_read(path, layout)
