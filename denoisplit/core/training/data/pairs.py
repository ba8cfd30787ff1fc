"""Pairs of signal and observation for the fit of noise models, from the images of fields."""

import logging
from collections.abc import Sequence

import numpy as np

from denoisplit.core.errors import NoiseModelError
from denoisplit.core.images.bases import Field
from denoisplit.core.images.derived_images import channel_of, first_of
from denoisplit.core.images.exposures import with_repeats
from denoisplit.core.images.large_fields import in_memory
from denoisplit.core.images.noise_correlation import noise_correlation
from denoisplit.core.images.noise_pairs import (
    bootstrap_pairs,
    join_pairs,
    pairs_from_clean,
    pairs_from_repeats,
)
from denoisplit.core.network.interfaces import NoisePairs
from denoisplit.core.spec.records import DataSpec

_LOG = logging.getLogger("denoisplit.training")

PAIRS_PER_CHANNEL = 1_000_000

PAIRS_SIDE = 2048
"""Side of the centre of a field that is not in memory, pixels, for pairs without clean images."""


def noise_pairs(
    data: DataSpec, fields: Sequence[Field], channels: Sequence[str], *, seed: int, places: bool = False
) -> tuple[NoisePairs, ...]:
    """Make pairs of signal and observation for every channel, from the best source of the data.

    ``places`` adds the camera pixel of each pair.

    Raises:
        NoiseModelError: the spec asks for repeats or clean references that no field has.
    """
    source = data.noise_pairs if data.noise_pairs != "auto" else best_source(fields)
    if source == "bootstrap":
        _tell_correlation(fields, channels)
    return pairs_from(source, fields, len(channels), seed=seed, places=places)


def pairs_from(
    source: str, fields: Sequence[Field], channels: int, *, seed: int, places: bool = False
) -> tuple[NoisePairs, ...]:
    """Make pairs of every channel from ``clean`` references, ``repeats`` or by a ``bootstrap``.

    Raises:
        NoiseModelError: no field has this source.
    """
    if source == "repeats":
        fields = with_repeats(fields, PAIRS_SIDE) or fields
    return tuple(
        _pairs_of_channel(source, fields, channel, seed=seed + channel, places=places)
        for channel in range(channels)
    )


def require_source(data: DataSpec, fields: Sequence[Field]) -> None:
    """Check that some field has the source of pairs that the spec asks for, without making any.

    Raises:
        NoiseModelError: no field has this source.
    """
    source = data.noise_pairs
    if source == "clean" and all(field.clean is None for field in fields):
        raise _missing(source)
    if source == "repeats" and not with_repeats(fields, PAIRS_SIDE):
        raise _missing(source)


def _missing(source: str) -> NoiseModelError:
    return NoiseModelError(
        f"$.data.noise_pairs: no training field has {source} (got '{source}'). "
        f"Use 'bootstrap', or give the data set its {source}."
    )


def _tell_correlation(fields: Sequence[Field], channels: Sequence[str]) -> None:
    for channel, name in enumerate(channels):
        found = noise_correlation(fields, channel)
        if found is not None and found.notable:
            _LOG.warning(
                "%s: %s. A bootstrap takes noise for independent, and will find too %s of it. "
                "Use raw images, clean references or repeats",
                name,
                found,
                "little" if found.found.largest > 0 else "much",
            )


def best_source(fields: Sequence[Field]) -> str:
    """Name the best source of noise pairs that some of these fields have."""
    if any(field.repeats is not None for field in fields):
        return "repeats"
    if any(field.clean is not None for field in fields):
        return "clean"
    return "repeats" if with_repeats(fields, PAIRS_SIDE) else "bootstrap"


def _pairs_of_channel(
    source: str, fields: Sequence[Field], channel: int, *, seed: int, places: bool
) -> NoisePairs:
    share = max(1, PAIRS_PER_CHANNEL // len(fields))
    parts: list[NoisePairs] = []
    for field in fields:
        if source == "clean" and field.clean is not None:
            clean, noisy = (first_of(channel_of(image, channel)) for image in (field.clean, field.observed))
            part = field.frame_part if places else None
            parts.append(pairs_from_clean(clean, noisy, limit=share, seed=seed, part=part))
            continue
        (field,) = in_memory([field], PAIRS_SIDE, "noise pairs")
        part = field.frame_part if places else None
        observed = field.observed[channel]
        if source == "bootstrap":
            parts.append(bootstrap_pairs(observed, limit=share, seed=seed, part=part))
        elif source == "repeats" and field.repeats is not None:
            exposures = np.concatenate([observed[None], field.repeats[:, channel]])
            parts.append(pairs_from_repeats(exposures, limit=share, seed=seed, part=part))
    if not parts:
        raise _missing(source)
    return join_pairs(parts, limit=PAIRS_PER_CHANNEL, seed=seed)
