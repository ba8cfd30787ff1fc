"""Recorded mixed images, beside the channels into which they are to be split."""

from collections.abc import Sequence

import attrs
import numpy as np

from denoisplit.core.errors import ImageError
from denoisplit.core.images.bases import Field
from denoisplit.core.images.conditioning import Conditioned, Conditioning, condition
from denoisplit.core.images.lazy import LazyArray
from denoisplit.core.images.mixed_range import FittedRange
from denoisplit.core.images.mixing import Mixing, drawn_anew, mix


def condition_fields(
    fields: Sequence[Field], how: Conditioning, *, ceiling: tuple[float, ...] | None = None
) -> Conditioned:
    """Condition the fields of one split, recorded mixed images included.

    A recorded mixed image gets its own background subtraction and synthetic noise. Its ceiling is the mixture
    of the channels' ceilings.

    Args:
        fields: fields from the data set.
        how: settings.
        ceiling: ceiling of the channels of the training fields, for other splits; None measures it.

    Raises:
        ImageError, ChannelCountError: see ``condition`` and ``recorded_images``.
    """
    recorded = recorded_images(fields)
    channels = condition(fields, how, ceiling=ceiling)
    if not recorded:
        return channels
    brightest = mix(np.asarray(channels.ceiling), how.mixing, axis=0)
    own = [Field(name=field.name, observed=image) for field, image in zip(fields, recorded, strict=True)]
    mixed = condition(own, how, ceiling=(float(brightest[0]),))
    # The noise of the recorded image is its own, so nothing else is mixed.
    joined = tuple(
        attrs.evolve(field, mixed=image.observed, mixed_source=None)
        for field, image in zip(channels.fields, mixed.fields, strict=True)
    )
    # The background of a recorded mixed image is its own quantile, without a shift.
    return attrs.evolve(channels, fields=joined, fitted=FittedRange(ceiling=channels.ceiling))


def recorded_images(fields: Sequence[Field]) -> tuple[LazyArray, ...]:
    """Return the recorded mixed images [1 (z) y x] of the fields of one split; empty if there are none.

    Raises:
        ImageError: only some fields have one.
    """
    found = tuple(field.mixed for field in fields if field.mixed is not None)
    if found and len(found) < len(fields):
        missing = next(field.name for field in fields if field.mixed is None)
        raise ImageError(
            f"data: {len(found)} of {len(fields)} fields have a recorded mixed image (field {missing!r} has "
            f"none). Give all fields theirs, or none."
        )
    return found


def require_mixed_as_recorded(fields: Sequence[Field], mixing: Mixing, *, fresh: bool) -> None:
    """Refuse recorded mixed images in a training that mixes its patches anew.

    Args:
        fields: training fields.
        mixing: rule by which mixed images are made if they were not recorded.
        fresh: whether noise is drawn anew in every step.

    Raises:
        ImageError: a setting and the recorded images exclude each other; says what to change.
    """
    if not recorded_images(fields):
        return
    for key in drawn_anew(mixing, fresh=fresh):
        raise ImageError(
            f"$.data.{key}: it makes a new mixed image for every patch, but the mixed images were "
            f"recorded (got field {fields[0].name!r}). Remove it, or leave the mixed images out."
        )
