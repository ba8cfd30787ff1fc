"""Single-channel images from files, in memory or lazy."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import attrs
import numpy as np

from denoisplit.core.arrays import Float32Array, Window
from denoisplit.core.errors import ImageError
from denoisplit.core.images.bases import FieldFile, PixelSize
from denoisplit.core.images.derived_images import stacked
from denoisplit.core.images.lazy import LazyArray, made


@attrs.frozen(kw_only=True)
class Frames:
    """The arrays of a single-channel file: one for every position along time and depth.

    Attributes:
        names: file and position of every array.
        pixels: [(z) y x] each, float32 counts.
        pixel_size: size of the pixels, if known.
        path: the file.
        dtype: type of the pixels in the file.
        lossy: see ``Image``.
    """

    names: tuple[str, ...]
    pixels: tuple[LazyArray, ...] = attrs.field(eq=False, repr=False)
    pixel_size: PixelSize | None
    path: Path
    dtype: str
    lossy: str

    def file(self, role: str, channel: str = "") -> FieldFile:
        """Return the entry of the file in the record of a field."""
        return FieldFile(path=str(self.path), role=role, channel=channel, dtype=self.dtype, lossy=self.lossy)


def channels_of(images: Sequence[LazyArray], names: Sequence[str], where: str) -> LazyArray:
    """Channels [(z) y x] as one array [c (z) y x].

    Raises:
        ImageError: they differ in size.
    """
    if len({image.shape for image in images}) > 1:
        listed = ", ".join(f"{n} {image.shape}" for n, image in zip(names, images, strict=True))
        raise ImageError(f"{where}: its channels differ in size (got {listed}). Crop them to the same size.")
    return stacked(images)


def mean_image(images: Sequence[LazyArray]) -> LazyArray:
    """The mean of images [(z) y x], added up one after the other in float64; float32."""
    return made(images, partial(_mean, tuple(images)), images[0].shape, np.dtype(np.float32))


def _mean(images: Sequence[LazyArray], region: Window) -> Float32Array:
    total = np.zeros([part.stop - part.start for part in region])
    for image in images:
        total += image[region]
    return (total / len(images)).astype(np.float32)
