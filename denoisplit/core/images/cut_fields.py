"""Cuts of fields into regions that share no pixel: training, validation and test from single images."""

from collections.abc import Sequence

import attrs
import numpy as np

from denoisplit.core.errors import ImageError
from denoisplit.core.images.bases import Field
from denoisplit.core.images.derived_images import elementwise, window
from denoisplit.core.images.large_fields import with_images
from denoisplit.core.images.lazy import LazyArray


def cut_fields(
    fields: Sequence[Field], validation: float, test: float, gap: int
) -> tuple[tuple[Field, ...], tuple[Field, ...], tuple[Field, ...]]:
    """Cut every field along its longer side of y and x: first training, then validation, then test.

    Args:
        fields: fields to cut; exposures, clean and mixed images are cut alike.
        validation: share of the side for validation.
        test: share of the side for the test; 0 for none.
        gap: unused pixels between two regions.

    Returns:
        Fields for training, validation and test, named after their rows or columns.

    Raises:
        ImageError: a field is too small to be cut.
    """
    parts: tuple[list[Field], list[Field], list[Field]] = ([], [], [])
    for field in fields:
        rows, columns = field.observed.shape[-2:]
        axis = -2 if rows >= columns else -1
        side = max(rows, columns)
        held, tested = round(validation * side), round(test * side)
        learnt = side - held - tested - gap * (2 if test else 1)
        if min(learnt, held) < 1 or (test and tested < 1):
            raise ImageError(
                f"field {field.name!r}: {side} pixels are too few to cut it into regions (got {learnt} for "
                f"training, {held} for validation, {tested} for the test, gap {gap}). "
                f"Lower data.split.gap or the fractions."
            )
        starts = (0, learnt + gap, learnt + held + 2 * gap)
        for part, start, length in zip(parts, starts, (learnt, held, tested), strict=True):
            if length:
                part.append(_region(field, axis, start, start + length))
    return tuple(parts[0]), tuple(parts[1]), tuple(parts[2])


def _region(field: Field, axis: int, begin: int, end: int) -> Field:
    """Cut pixels ``begin`` to ``end`` of a field along y (-2) or x (-1)."""
    span = slice(begin, end)
    last = (span, slice(None)) if axis == -2 else (slice(None), span)

    def cut(image: LazyArray) -> LazyArray:
        # A copy, because a view of a part would keep the whole array in memory.
        return elementwise(np.array, window(image, (*(slice(None),) * (image.ndim - 2), *last)))

    name = f"{field.name} {'rows' if axis == -2 else 'columns'} {begin}-{end - 1}"
    found = with_images(field, cut)
    first = (begin, 0) if axis == -2 else (0, begin)
    return attrs.evolve(found, name=name, part=field.frame_part.window(first, found.observed.shape))
