"""Frames of a movie in which nothing was recorded: they are left out of what is learnt from."""

from collections.abc import Sequence

import numpy as np

from denoisplit.core.errors import ImageError
from denoisplit.core.images.bases import Field, LazyArray
from denoisplit.core.images.block_walks import blocks
from denoisplit.core.images.derived_images import channel_of

_NAMED = 5
_CORNER = 8


def without_blank(fields: Sequence[Field]) -> tuple[tuple[Field, ...], tuple[str, ...]]:
    """Leave out fields from files in which a channel has one value everywhere.

    Data sets that were not read from files mean what they give.

    Returns:
        The other fields, and a remark that names those left out, if any.

    Raises:
        ImageError: none is left.
    """
    kept = tuple(field for field in fields if not (field.files and _is_blank(field)))
    if len(kept) == len(fields):
        return kept, ()
    blank = [field.name for field in fields if field not in kept]
    more = f" and {len(blank) - _NAMED} more" if len(blank) > _NAMED else ""
    told = f"{', '.join(blank[:_NAMED])}{more}: all pixels of a channel are equal"
    if not kept:
        raise ImageError(f"{told}, in every field. Give images that show structures.")
    return kept, (f"{told}, so this is left out.",)


def _is_blank(field: Field) -> bool:
    images = [image for image in (field.observed, field.clean, field.mixed) if image is not None]
    return any(_has_one_value(channel_of(image, c)) for image in images for c in range(len(image)))


def _has_one_value(image: LazyArray) -> bool:
    corner = np.asarray(image[(slice(_CORNER),) * image.ndim])  # one chunk tells of most images
    first = corner.flat[0]
    return bool((corner == first).all()) and all((pixels == first).all() for _, pixels in blocks(image))
