"""Selection of one image of fields with several channels, to train a denoiser on."""

from collections.abc import Sequence

import attrs
import numpy as np

from denoisplit.core.errors import SpecError
from denoisplit.core.images.bases import Field
from denoisplit.core.images.channel_names import MIXED
from denoisplit.core.images.derived_images import channel_of, elementwise, window
from denoisplit.core.images.lazy import LazyArray
from denoisplit.core.images.mixing import Mixing, mixed_channels, mixed_image


def select(field: Field, wanted: str, recorded: Sequence[str], mixing: Mixing) -> Field:
    """Return a field whose only channel is one of its channels, or its mixed image.

    Clean reference and repeats of the mixed image are mixed from those of the channels if its noise is that
    of the channels; a mixed image with its own noise has no repeats, and a recorded one neither repeats nor a
    reference.

    Args:
        field: conditioned field, so that channels and mixed image have the noise that a splitter sees.
        wanted: a name of ``recorded``, or ``mixed``.
        recorded: names of the channels of the field.
        mixing: rule by which the mixed image is made.

    Raises:
        SpecError: there is no channel of that name.
    Source: Ashesh & Jug, denoiSplit, ECCV 2024, code (the denoisers of its sequential baseline); method
    section 10.
    """
    if wanted in recorded:
        index = list(recorded).index(wanted)
        return attrs.evolve(
            field,
            observed=channel_of(field.observed, index),
            clean=None if field.clean is None else channel_of(field.clean, index),
            repeats=None
            if field.repeats is None
            else window(field.repeats, (slice(None), slice(index, index + 1))),
            mixed=None,
            mixed_source=None,
            separate=False,
        )
    if wanted != MIXED:
        names = f"{', '.join(recorded)} (data.recorded), or {MIXED}"
        problem = f"$.channels: no such channel (got '{wanted}'). Name one of {names}."
        raise SpecError(problem)
    own_noise = field.mixed is not None or field.mixed_source is not None
    return attrs.evolve(
        field,
        observed=mixed_image(field, mixing),
        clean=None if field.mixed is not None else _mixed(field.clean, mixing, axis=0),
        repeats=None if own_noise else _mixed(field.repeats, mixing, axis=1),
        mixed=None,
        mixed_source=None,
        separate=False,
    )


def select_noiseless(
    noiseless: LazyArray, wanted: str, recorded: Sequence[str], mixing: Mixing, *, field: Field
) -> LazyArray:
    """Select likewise [1 (z) y x] from channels before additive noise [c (z) y x]."""
    bare = Field(name=field.name, observed=noiseless, mixed=field.mixed)
    found = select(bare, wanted, recorded, mixing).observed
    return elementwise(np.ascontiguousarray, found)


def _mixed(channels: LazyArray | None, mixing: Mixing, *, axis: int) -> LazyArray | None:
    return None if channels is None else mixed_channels(channels, mixing, axis=axis)
