"""Images: pixels, in memory or in a file, with their metadata."""

from typing import Any

import attrs
import numpy as np

from denoisplit.core.arrays import AnyArray
from denoisplit.core.images.lazy import LazyArray, without_mask
from denoisplit.core.images.physical import IntensityScale, PixelSize, TimeInterval


@attrs.frozen(kw_only=True)
class ImageLayout:
    """Metadata of an image: everything but its pixels.

    Attributes:
        shape: number of positions along every axis.
        dtype: type of the pixels.
        axes: one lower-case letter per axis, from ``stczyx``.
        channel_names: one name per channel when ``c`` is an axis, else at most one.
        pixel_size: physical pixel size, None when unknown.
        time_interval: time between two time points, None when unknown.
        intensity_scale: conversion of stored numbers to counts, None if they are counts.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any] = attrs.field(converter=np.dtype)
    axes: str
    channel_names: tuple[str, ...] = ()
    pixel_size: PixelSize | None = None
    time_interval: TimeInterval | None = None
    intensity_scale: IntensityScale | None = None


def _unmasked(data: LazyArray) -> LazyArray:
    return without_mask(data, "image")


@attrs.frozen(kw_only=True)
class Image:
    """Pixels with their metadata.

    Attributes:
        data: NumPy array, memory map, or lazy pixels, which are read on demand.
        axes: one lower-case letter per axis of ``data``, from ``stczyx``; ``s`` are positions or samples.
        channel_names: one name per channel when ``c`` is an axis, else at most one.
        pixel_size: physical pixel size, None when unknown.
        time_interval: time between two time points, None when unknown.
        intensity_scale: conversion of the numbers in ``data`` to counts, None if they are counts.
        source: origin of the image, for messages.
        lossy: name of the compression, where it changed the pixels.

    Raises:
        ImageError: some pixels are masked.
    """

    data: LazyArray = attrs.field(eq=False, repr=False, converter=_unmasked)
    axes: str
    channel_names: tuple[str, ...] = ()
    pixel_size: PixelSize | None = None
    time_interval: TimeInterval | None = None
    intensity_scale: IntensityScale | None = None
    source: str = "array"
    lossy: str = ""

    @property
    def pixels(self) -> AnyArray:
        """All of ``data`` as a NumPy array."""
        return np.asarray(self.data)

    @property
    def layout(self) -> ImageLayout:
        """Metadata of the image, without its source."""
        return ImageLayout(
            shape=tuple(self.data.shape),
            dtype=self.data.dtype,
            axes=self.axes,
            channel_names=self.channel_names,
            pixel_size=self.pixel_size,
            time_interval=self.time_interval,
            intensity_scale=self.intensity_scale,
        )
