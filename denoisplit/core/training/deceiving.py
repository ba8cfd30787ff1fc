"""What images do not look like, and would spoil a training: told by ``denoisplit data check``."""

from collections.abc import Sequence
from typing import Final

from denoisplit.core.images.exposures import places_of
from denoisplit.core.images.hot_pixels import hot_places, told
from denoisplit.core.images.interfaces import Field

_LISTED: Final = 3


def told_hot_pixels(split: str, fields: Sequence[Field]) -> list[str]:
    """A sentence where single pixels stand out beyond all measure, with their places."""
    found = [(field.name, hot_places(field.observed)) for field in fields]
    said = [
        f"{split}, {name}: {told(places)} in training and prediction." for name, places in found if places
    ]
    if len(said) > _LISTED:
        said = [*said[:_LISTED], f"{split}: {len(said) - _LISTED} more fields have hot pixels."]
    return said


def told_exposures(noise_pairs: str, fields: Sequence[Field]) -> list[str]:
    """A sentence where several fields show one place.

    Args:
        noise_pairs: of the spec.
        fields: of training and validation.
    """
    groups = [group for group in places_of(fields) if len(group) > 1]
    if not groups:
        return []
    largest = max(groups, key=len)
    told = (
        f"{sum(map(len, groups))} of the {len(fields)} fields are exposures of {len(groups)} "
        f"place{'s' * (len(groups) > 1)}, for example {fields[largest[0]].name} and "
        f"{fields[largest[1]].name}. All exposures of a place stay together in training, validation or test."
    )
    if noise_pairs != "bootstrap":
        return [told]
    return [f"{told} noise_pairs: repeats learns the noise from them, better than a bootstrap."]
