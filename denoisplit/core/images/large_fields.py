"""Fields whose images may not be in memory: changes of all their images, and their centres."""

import logging
from collections.abc import Callable, Sequence
from typing import Final

import attrs
import numpy as np

from denoisplit.core.images.bases import Field, MixedSource
from denoisplit.core.images.derived_images import centre_of
from denoisplit.core.images.lazy import LazyArray, is_lazy

_LOG = logging.getLogger("denoisplit.training")

CENTRE: Final = 1024
"""Side of the centres that calibration, verdicts and evaluation use, pixels."""


def is_large(field: Field) -> bool:
    """Whether an image of the field is lazy."""
    images = (field.observed, field.clean, field.mixed, field.repeats)
    return any(is_lazy(image) for image in images if image is not None)


def with_images(field: Field, change: Callable[[LazyArray], LazyArray]) -> Field:
    """Apply a change to each image of a field; ``mixed_source`` stays as it is."""
    clean, mixed, repeats = (
        None if image is None else change(image) for image in (field.clean, field.mixed, field.repeats)
    )
    return attrs.evolve(field, observed=change(field.observed), clean=clean, mixed=mixed, repeats=repeats)


def in_memory(fields: Sequence[Field], side: int, purpose: str) -> tuple[Field, ...]:
    """Read the central ``side`` x ``side`` pixels of lazy fields into memory; return other fields unchanged.

    Args:
        fields: fields of any size.
        side: side of the centres, pixels.
        purpose: purpose of the fields, which is logged for every field that is cut.
    """
    return tuple(_centre(field, side, purpose) if is_large(field) else field for field in fields)


def _centre(field: Field, side: int, purpose: str) -> Field:
    sides = field.observed.shape[-2:]
    if max(sides) > side:
        _LOG.info(
            "%s: of field %s, the central %d x %d pixels (of %d x %d)",
            purpose,
            field.name,
            min(side, sides[0]),
            min(side, sides[1]),
            *sides,
        )
    return centre_of_field(field, side)


def centre_of_field(field: Field, side: int) -> Field:
    """Read the central ``side`` x ``side`` pixels of all images of a field into memory."""

    def cut(image: LazyArray) -> LazyArray:
        return np.asarray(image[centre_of(image, side)])

    source = field.mixed_source
    if source is not None:
        source = MixedSource(noiseless=cut(source.noiseless), noise=cut(source.noise))
    found = with_images(field, cut)
    first = tuple(int(s.start or 0) for s in centre_of(field.observed, side)[-2:])
    part = field.frame_part.window(first, found.observed.shape)
    return attrs.evolve(found, mixed_source=source, part=part)
