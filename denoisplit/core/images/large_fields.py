"""Fields whose images need not be in memory: all their images at once, and their centres."""

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
"""Pixels a side that calibration, verdicts and evaluation look at."""


def is_large(field: Field) -> bool:
    """Whether an image of the field is read where it is asked for."""
    images = (field.observed, field.clean, field.mixed, field.repeats)
    return any(is_lazy(image) for image in images if image is not None)


def with_images(field: Field, change: Callable[[LazyArray], LazyArray]) -> Field:
    """The field with the same change made to each of its images; ``mixed_source`` stays as it is."""
    clean, mixed, repeats = (
        None if image is None else change(image) for image in (field.clean, field.mixed, field.repeats)
    )
    return attrs.evolve(field, observed=change(field.observed), clean=clean, mixed=mixed, repeats=repeats)


def in_memory(fields: Sequence[Field], side: int, purpose: str) -> tuple[Field, ...]:
    """The fields, of those that are not in memory the central ``side`` x ``side`` pixels along y and x.

    Args:
        fields: of any size.
        side: pixels.
        purpose: what they are for, which the log says of every field that is cut.
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

    def cut(image: LazyArray) -> LazyArray:
        return np.asarray(image[centre_of(image, side)])

    source = field.mixed_source
    if source is not None:
        source = MixedSource(noiseless=cut(source.noiseless), noise=cut(source.noise))
    found = with_images(field, cut)
    first = tuple(int(s.start or 0) for s in centre_of(field.observed, side)[-2:])
    part = field.frame_part.window(first, found.observed.shape)
    return attrs.evolve(found, mixed_source=source, part=part)
