"""Options that are a number of channels, the same at every level or one per level."""

from typing import Any

import attrs
from attrs.validators import and_, deep_iterable, ge, min_len, or_

from denoisplit.core.errors import SpecError
from denoisplit.core.validators import described_by

ChannelCounts = int | tuple[int, ...]
"""One number for all levels, or one per level, finest first."""


@described_by(or_(ge(1), and_(min_len(1), deep_iterable(ge(1)))))
def channel_counts(_instance: object, attribute: "attrs.Attribute[Any]", value: ChannelCounts) -> None:
    """Validate an option of this kind."""
    values = value if isinstance(value, tuple) else (value,)
    if not values or min(values) < 1:
        raise ValueError(f"'{attribute.name}' must be 1 or more, one number or one per level (got {value})")


@described_by(or_(ge(1), deep_iterable(ge(1))))
def counts_or_none(_instance: object, attribute: "attrs.Attribute[Any]", value: ChannelCounts) -> None:
    """Validate an option of this kind that may be empty, to take the numbers from elsewhere."""
    if value != ():
        channel_counts(_instance, attribute, value)


def counts_per_level(value: ChannelCounts, levels: int, option: str) -> tuple[int, ...]:
    """One number per level, finest first.

    Raises:
        SpecError: several numbers, but not one per level.
    """
    if isinstance(value, int):
        return (value,) * levels
    if len(value) != levels:
        raise SpecError(
            f"{option}: one number or one per level is needed "
            f"(got {len(value)} for {levels} levels). Give {levels} numbers, finest level first."
        )
    return value
