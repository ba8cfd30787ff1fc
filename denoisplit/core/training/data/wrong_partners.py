"""Clean references and recorded mixed images that show another field than their partner."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from denoisplit.core.arrays import Float64Array
from denoisplit.core.images.bases import Field
from denoisplit.core.images.block_walks import picture
from denoisplit.core.images.coarse_means import coarse_means
from denoisplit.core.images.derived_images import channel_of, first_of
from denoisplit.core.images.lazy import LazyArray

_ALIKE: Final = 0.5
"""Correlation with another field from which on a partner shows that field,"""
_UNLIKE: Final = 0.2
"""if its correlation with its own field is below this."""

_BLOCK: Final = 8
"""Pixels a side whose mean is compared, so that noise hardly counts."""

_MOST: Final = 64
"""Largest number of fields that are compared."""


def told_wrong_partners(split: str, fields: Sequence[Field]) -> list[str]:
    """Return sentences on partners that show another field of the data set."""
    said = []
    some = fields[:_MOST]
    for what, partners in (("clean", [one.clean for one in some]), ("mixed", [one.mixed for one in some])):
        shown = [
            (field.name, field.observed.shape[1:], _seen(field.observed), _seen(partner))
            for field, partner in zip(some, partners, strict=True)
            if partner is not None and min(partner.shape[-2:]) >= _BLOCK
        ]
        for name, sides, own, partner in shown:
            if own @ partner >= _UNLIKE:
                continue
            other = [beside for beside, size, seen, _ in shown if size == sides and seen @ partner >= _ALIKE]
            if other:
                told = f"{split}: the {what} image of {name} shows {other[0]} instead"
                said.append(f"{told}. Correct the names of the files.")
    return said


def _seen(image: LazyArray) -> Float64Array:
    """Return the coarse means of the sum of all channels [c (z) y x], of stacks of the mean plane [block]."""
    whole = sum(
        np.asarray(picture(first_of(channel_of(image, channel))), dtype=np.float64)
        for channel in range(image.shape[0])
    )
    plane = np.asarray(whole).mean(axis=tuple(range(np.ndim(whole) - 2)))
    means: Float64Array = coarse_means([plane], _BLOCK)[0]
    return means
