"""The centres of fields that are not in memory, for what needs whole images."""

import logging
from collections.abc import Sequence
from typing import Final

import attrs
import numpy as np

from denoisplit.core.arrays import Float32Array
from denoisplit.core.images.bases import Field, MixedSource
from denoisplit.core.images.large_fields import is_large, with_images
from denoisplit.core.images.streamed import centre_of

_LOG = logging.getLogger("denoisplit.training")

CENTRE: Final = 1024
"""Pixels a side that calibration, verdicts and evaluation look at."""


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

    def cut(image: Float32Array) -> Float32Array:
        return np.asarray(image[centre_of(image, side)])

    source = field.mixed_source
    if source is not None:
        source = MixedSource(noiseless=cut(source.noiseless), noise=cut(source.noise))
    found = with_images(field, cut)
    first = tuple(int(s.start or 0) for s in centre_of(field.observed, side)[-2:])
    part = field.frame_part.window(first, found.observed.shape)
    return attrs.evolve(found, mixed_source=source, part=part)
