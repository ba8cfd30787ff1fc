"""Clean references and recorded mixed images that show another field than their partner."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from denoisplit.core.arrays import Float64Array
from denoisplit.core.images.bases import Field
from denoisplit.core.images.block_walks import picture
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
            (field.name, _blurred(field.observed), _blurred(partner))
            for field, partner in zip(some, partners, strict=True)
            if partner is not None
        ]
        for name, own, partner in shown:
            if _correlation(own, partner) >= _UNLIKE:
                continue
            other = [beside for beside, seen, _ in shown if _correlation(seen, partner) >= _ALIKE]
            if other:
                told = f"{split}: the {what} image of {name} shows {other[0]} instead"
                said.append(f"{told}. Correct the names of the files.")
    return said


def _blurred(image: LazyArray) -> Float64Array:
    """Return means over blocks of the sum of all channels [c (z) y x], [rows columns]."""
    whole = sum(
        np.asarray(picture(first_of(channel_of(image, channel))), dtype=np.float64)
        for channel in range(image.shape[0])
    )
    plane = np.asarray(whole).mean(axis=tuple(range(np.ndim(whole) - 2)))
    rows, columns = (max(side // _BLOCK, 1) for side in plane.shape)
    y, x = (plane.shape[0] // rows, plane.shape[1] // columns)
    blocks: Float64Array = plane[: rows * y, : columns * x].reshape(rows, y, columns, x).mean(axis=(1, 3))
    return blocks


def _correlation(one: Float64Array, other: Float64Array) -> float:
    """Return the correlation of two images; 0 for images of other sizes, or without any structure."""
    if one.shape != other.shape or min(one.std(), other.std()) == 0:
        return 0.0
    return float(((one - one.mean()) * (other - other.mean())).mean() / (one.std() * other.std()))
