"""From a spec to what training needs of its data: fields, splits, statistics, pairs for noise models."""

from collections.abc import Sequence

import attrs
import numpy as np

from denoisplit.core.errors import ImageError, NoiseModelError
from denoisplit.core.images.fingerprint import assert_disjoint, data_fingerprint
from denoisplit.core.images.interfaces import Dataset, Field
from denoisplit.core.images.noise_pairs import (
    bootstrap_pairs,
    join_pairs,
    pairs_from_clean,
    pairs_from_repeats,
)
from denoisplit.core.images.splits import hold_out
from denoisplit.core.images.statistics import intensity_stats
from denoisplit.core.network.interfaces import IntensityStats, NoisePairs
from denoisplit.core.spec.records import Chosen, DataSpec, ResolvedSpec

PAIRS_PER_CHANNEL = 1_000_000


@attrs.frozen(kw_only=True)
class PreparedData:
    """Training data, read and checked.

    Attributes:
        train: fields to learn from.
        validation: fields held out.
        statistics: of the training fields.
        fingerprint: hash of the training fields.
    """

    train: tuple[Field, ...]
    validation: tuple[Field, ...]
    statistics: IntensityStats
    fingerprint: str


def read_fields(chosen: Chosen, channels: tuple[str, ...]) -> tuple[Field, ...]:
    """All fields of a data set of the spec.

    Raises:
        ImageError, ChannelCountError: see ``Dataset.fields``.
    """
    dataset: Dataset = chosen.component.load()(chosen.options, channels=channels)
    return dataset.fields()


def prepare(spec: ResolvedSpec) -> PreparedData:
    """Read the training data of a spec.

    Raises:
        ImageError: no usable images, or the same field in training and validation.
    """
    data = spec.data
    train = read_fields(data.train, spec.channels)
    if data.validation is None:
        train, validation = hold_out(train, data.validation_fraction, seed=spec.training.seed)
    else:
        validation = read_fields(data.validation, spec.channels)
    assert_disjoint(train, validation)
    return PreparedData(
        train=train,
        validation=validation,
        statistics=intensity_stats([field.observed for field in train], data.mixing),
        fingerprint=data_fingerprint(train),
    )


def evaluation_fields(spec: ResolvedSpec) -> tuple[str, tuple[Field, ...]]:
    """Fields to evaluate on, and where they come from: the test data, or else the validation data."""
    if spec.data.test is not None:
        return "test", read_fields(spec.data.test, spec.channels)
    return "validation", prepare(spec).validation


def noise_pairs(
    data: DataSpec, fields: Sequence[Field], channels: int, *, seed: int
) -> tuple[NoisePairs, ...]:
    """Pairs of signal and observation for every channel, from what the data offers.

    Raises:
        NoiseModelError: the spec asks for repeats or clean references that no field has.
    """
    source = data.noise_pairs if data.noise_pairs != "auto" else _best_source(fields)
    return tuple(
        _pairs_of_channel(source, fields, channel, seed=seed + channel) for channel in range(channels)
    )


def _best_source(fields: Sequence[Field]) -> str:
    if any(field.repeats is not None for field in fields):
        return "repeats"
    if any(field.clean is not None for field in fields):
        return "clean"
    return "bootstrap"


def _pairs_of_channel(source: str, fields: Sequence[Field], channel: int, *, seed: int) -> NoisePairs:
    share = max(1, PAIRS_PER_CHANNEL // len(fields))
    parts: list[NoisePairs] = []
    for field in fields:
        observed = field.observed[channel]
        if source == "bootstrap":
            parts.append(bootstrap_pairs(observed, limit=share, seed=seed))
        elif source == "clean" and field.clean is not None:
            parts.append(pairs_from_clean(field.clean[channel], observed, limit=share, seed=seed))
        elif source == "repeats" and field.repeats is not None:
            exposures = np.concatenate([observed[None], field.repeats[:, channel]])
            parts.append(pairs_from_repeats(exposures, limit=share, seed=seed))
    if not parts:
        raise NoiseModelError(
            f"$.data.noise_pairs: no training field has {source} (got '{source}'). "
            f"Use 'bootstrap', or give the data set its {source}."
        )
    return join_pairs(parts, limit=PAIRS_PER_CHANNEL, seed=seed)


def require_clean(fields: Sequence[Field], purpose: str) -> tuple[Field, ...]:
    """The fields that have a clean reference.

    Raises:
        ImageError: none has one.
    """
    found = tuple(field for field in fields if field.clean is not None)
    if not found:
        raise ImageError(
            f"{purpose}: none of the {len(fields)} fields has a clean reference. "
            f"Name the clean images in the data set (clean: '*_clean.tif' of the data set folder)."
        )
    return found
