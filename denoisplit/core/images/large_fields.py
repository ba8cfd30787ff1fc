"""Fields whose images need not be in memory: all their images at once, and sums of images."""

from collections.abc import Callable
from functools import partial

import attrs
import numpy as np

from denoisplit.core.arrays import AnyArray, Float32Array, Window
from denoisplit.core.images.bases import Field
from denoisplit.core.images.lazy import LazyPixels
from denoisplit.core.images.streamed import as_array, is_lazy


def is_large(field: Field) -> bool:
    """Whether an image of the field is read where it is asked for."""
    images = (field.observed, field.clean, field.mixed, field.repeats)
    return any(is_lazy(image) for image in images if image is not None)


def alike(field: Field) -> Field:
    """The field, with all its images lazy if one of them is, so that one tells of the others."""
    if not is_large(field):
        return field
    return with_images(field, _lazily)


def with_images(field: Field, change: Callable[[Float32Array], Float32Array]) -> Field:
    """The field with the same change made to each of its images; ``mixed_source`` stays as it is."""
    clean, mixed, repeats = (
        None if image is None else change(image) for image in (field.clean, field.mixed, field.repeats)
    )
    return attrs.evolve(field, observed=change(field.observed), clean=clean, mixed=mixed, repeats=repeats)


def added(one: Float32Array, other: Float32Array) -> Float32Array:
    """The sum of two images of one shape, pixel by pixel; lazily if one of them is lazy."""
    if not is_lazy(one) and not is_lazy(other):
        return one + other
    read = partial(_read_sum, one, other)
    return as_array(LazyPixels(shape=one.shape, dtype=one.dtype, read=read, source="image"))


def _read_sum(one: AnyArray, other: AnyArray, region: Window) -> AnyArray:
    return np.asarray(np.asarray(one[region]) + np.asarray(other[region]))


def _lazily(image: Float32Array) -> Float32Array:
    if is_lazy(image):
        return image
    read = partial(_read, image)
    return as_array(LazyPixels(shape=image.shape, dtype=image.dtype, read=read, source="image"))


def _read(image: AnyArray, region: Window) -> AnyArray:
    return np.asarray(image[region])
