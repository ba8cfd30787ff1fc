"""Base of the Zarr formats: how they are opened, and when a folder may be replaced."""

from abc import abstractmethod
from pathlib import Path

from denoisplit.core.images.bases import Image, ImageFormat, ImageLayout, ImageWriter
from denoisplit.core.images.layout import KINDS, check_dtype, check_layout
from denoisplit.core.images.writing import Begin, RegionWriter, copy_pieces
from denoisplit.plugins.image_formats._zarr_nodes import holds_one_image, is_zarr, open_zarr, zarr_target


class ZarrFormat(ImageFormat):
    """A format of Zarr folders. ``called`` is its name in messages."""

    called: str
    holds_several = True

    @abstractmethod
    def stored_axes(self, layout: ImageLayout, where: str) -> str:
        """Return the letters of the axes of the array to write; ``where`` is for messages."""

    @abstractmethod
    def begin(self, layout: ImageLayout, stored: str) -> Begin:
        """Return a function that makes the folder of an image, with the axes ``stored``."""

    def open(self, path: Path, *, axes: str | None = None) -> Image:
        """Open an image at its largest scale; images of 256 MiB and more are read lazily."""
        return open_zarr(path, axes, self.suffixes)

    def write(self, path: Path, image: Image) -> None:
        """Write pixels and all that is known of the image; the folder appears whole or not at all."""
        copy_pieces(image, self.create(path, image.layout))

    def may_replace(self, path: Path) -> bool:
        """Whether a Zarr folder has one image and no other files, so that nothing else would be lost."""
        return is_zarr(path) and holds_one_image(path)

    def create(self, path: Path, layout: ImageLayout) -> ImageWriter:
        """Begin an image whose regions are written in place."""
        check_layout(layout, str(path))
        check_dtype(layout, str(path), KINDS, self.called, "Convert them.")
        stored = self.stored_axes(layout, str(path))
        target = zarr_target(path, self.suffixes)
        begin = self.begin(layout, stored)
        return RegionWriter(target, layout, stored=stored, begin=begin, replaceable=self.may_replace)
