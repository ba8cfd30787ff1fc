"""Label images: their files, and how their axes lie in an image."""

from pathlib import Path
from typing import Final

import attrs

from denoisplit.core.errors import ImageError
from denoisplit.core.images.axes import AXES, SPATIAL, UnnamedAxesError, reorder
from denoisplit.core.images.bases import Image, LazyArray
from denoisplit.core.images.io import Planes, open_image
from denoisplit.core.storage.image_files import installed_formats

_ANY: Final = AXES.replace("c", "")
"""Axes under which a file that does not name its own is opened as it is."""


@attrs.frozen(kw_only=True)
class LabelImage:
    """Labels of pixels.

    Attributes:
        pixels: whole numbers; 0 is no region.
        axes: one letter per axis; None where they are not known, as those of an array.
    """

    pixels: LazyArray = attrs.field(eq=False, repr=False)
    axes: str | None = None

    def in_order(self) -> LazyArray:
        """Return the labels in the canonical order of their axes, without those of length 1 but y and x."""
        if self.axes is None:
            return self.pixels
        sides = dict(zip(self.axes, self.pixels.shape, strict=True))
        wanted = [
            letter for letter in AXES if letter in sides and (sides[letter] > 1 or letter in SPATIAL[1:])
        ]
        return reorder(self.pixels, self.axes, "".join(wanted))

    def placed(self, image: Image, planes: Planes) -> LazyArray:
        """Return the labels with the axes of an image in canonical order, without that of channels.

        An axis that the labels lack has length 1. Without names of their own, axes are those of the image if
        the labels have its shape; others are returned as they are, for a plane or stack of it.

        Args:
            image: the image as it was given.
            planes: the same image, cut into planes or stacks.

        Raises:
            ImageError: the labels have an axis that the image lacks.
        """
        axes = self.axes or _axes_by_shape(self.pixels.shape, image)
        if axes is None:
            return self.pixels
        try:
            return reorder(self.pixels, axes, f"{planes.leading}{planes.spatial}")
        except ImageError as error:
            raise ImageError(f"labels of {image.source}: {error}") from error


def open_labels(path: Path) -> LabelImage:
    """Open a label image; its pixels stay in the file.

    Raises:
        ImageError: the file cannot be read.
    """
    try:
        image = open_image(path, installed_formats())
    except UnnamedAxesError as error:
        axes = _ANY[-len(error.shape) :]
        if len(axes) < len(error.shape):
            raise
        return LabelImage(pixels=open_image(path, installed_formats(), axes=axes).data)
    return LabelImage(pixels=image.data, axes=image.axes)


def _axes_by_shape(shape: tuple[int, ...], image: Image) -> str | None:
    """Return the axes of labels that have the shape of an image without channels, or without short axes."""
    own = [(a, side) for a, side in zip(image.axes, image.data.shape, strict=True) if a != "c"]
    for kept in (own, [(a, side) for a, side in own if side > 1 or a in SPATIAL[1:]]):
        if shape == tuple(side for _, side in kept):
            return "".join(a for a, _ in kept)
    return None
