"""Base of microscope formats, which are only read, and whose files hold several images."""

from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from denoisplit.core.images.bases import Image, ImageFormat, ImageLayout, ImageWriter
from denoisplit.core.images.io import split_inside
from denoisplit.core.images.lazy import reading_file
from denoisplit.core.validators import NoOptions
from denoisplit.plugins.image_formats._several import Named, one_image, only_read


class MicroscopeFormat(ImageFormat):
    """A format that is only read. ``called`` is its name in messages."""

    Options = NoOptions

    called: str
    holds_several = True

    @abstractmethod
    def images(self, file: Path, where: str) -> AbstractContextManager[Sequence[Named]]:
        """Open a file and give its images; ``where`` is for messages."""

    def open(self, path: Path, *, axes: str | None = None) -> Image:
        """Open one image of a file, or all; images of 256 MiB and more are read lazily, part by part."""
        file, inside = split_inside(path, self.suffixes)
        with reading_file(file, self.called, str(path)), self.images(file, str(path)) as found:
            return one_image(found, path, file, inside, axes)

    def write(self, path: Path, image: Image) -> None:
        """Refuse to write: such files are only read."""
        raise only_read(path, image.layout)

    def create(self, path: Path, layout: ImageLayout) -> ImageWriter:
        """Refuse to write: such files are only read."""
        raise only_read(path, layout)
