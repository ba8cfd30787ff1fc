"""Mixed images that were recorded themselves, beside the channels that they are to be split into."""

from collections.abc import Sequence

import attrs
import numpy as np

from denoisplit.core.errors import ImageError
from denoisplit.core.images.bases import Field
from denoisplit.core.images.conditioning import Conditioned, Conditioning, condition
from denoisplit.core.images.lazy import LazyArray
from denoisplit.core.images.mixed_range import FittedRange
from denoisplit.core.images.mixing import Mixing, mix


def condition_fields(
    fields: Sequence[Field], how: Conditioning, *, ceiling: tuple[float, ...] | None = None
) -> Conditioned:
    """Condition the fields of one split, recorded mixed images included.

    A recorded mixed image gets background subtraction and synthetic noise of its own. It is cut off at the
    brightest that channels can mix to, once they are cut off themselves.

    Args:
        fields: as the data set gave them.
        how: what to do.
        ceiling: of the channels of the training fields, for other splits; None measures it.

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
    """The recorded mixed images [1 (z) y x] of the fields of one split, empty where there are none.

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


def require_trainable(fields: Sequence[Field], mixing: Mixing, *, fresh: bool) -> None:
    """Refuse recorded mixed images in a training that mixes its patches anew.

    Args:
        fields: to learn from.
        mixing: how mixed images are made where they were not recorded.
        fresh: noise is drawn anew at every step.

    Raises:
        ImageError: says what to change.
    """
    if not recorded_images(fields):
        return
    anew = {"mixing.alpha": mixing.alpha, "mixing.shuffle": mixing.shuffle, "degradation.fresh": fresh}
    for key, asked in anew.items():
        if asked:
            raise ImageError(
                f"$.data.{key}: it makes a new mixed image for every patch, but the mixed images were "
                f"recorded (got field {fields[0].name!r}). Remove it, or leave the mixed images out."
            )
