"""Hold fields out of training."""

from collections.abc import Sequence

import numpy as np

from denoisplit.core.errors import ImageError
from denoisplit.core.images.interfaces import Field


def hold_out(
    fields: Sequence[Field], fraction: float, seed: int
) -> tuple[tuple[Field, ...], tuple[Field, ...]]:
    """Split fields at random into training and validation; a field is never cut.

    Args:
        fields: at least two.
        fraction: of the fields to hold out, rounded, but at least one field stays on each side.
        seed: of the choice.

    Returns:
        Training and validation fields, each in their original order.

    Raises:
        ImageError: fewer than two fields.
    """
    if len(fields) < 2:
        raise ImageError(
            f"data: one field cannot be split into training and validation (got {len(fields)} fields). "
            f"Give data.validation, or more fields."
        )
    count = min(max(round(fraction * len(fields)), 1), len(fields) - 1)
    held = set(np.random.default_rng(seed).permutation(len(fields))[:count].tolist())
    return (
        tuple(field for i, field in enumerate(fields) if i not in held),
        tuple(field for i, field in enumerate(fields) if i in held),
    )
