"""From a spec to what training needs of its data: fields, splits, statistics, pairs for noise models."""

from collections.abc import Sequence

import attrs
import numpy as np

from denoisplit.core.errors import ImageError, NoiseModelError, SpecError
from denoisplit.core.images.conditioning import Conditioning, condition
from denoisplit.core.images.fingerprint import assert_disjoint, data_fingerprint
from denoisplit.core.images.fresh_noise import FreshNoise, fresh_noise
from denoisplit.core.images.interfaces import Dataset, Field
from denoisplit.core.images.mixed_range import FittedRange
from denoisplit.core.images.noise_pairs import (
    bootstrap_pairs,
    join_pairs,
    pairs_from_clean,
    pairs_from_repeats,
)
from denoisplit.core.images.splits import split_fields
from denoisplit.core.images.statistics import intensity_stats
from denoisplit.core.network.interfaces import IntensityStats, NoisePairs
from denoisplit.core.spec.records import Chosen, DataSpec, ResolvedSpec

PAIRS_PER_CHANNEL = 1_000_000


@attrs.frozen(kw_only=True)
class PreparedData:
    """Training data, read and checked.

    Attributes:
        train: fields to learn from; with ``fresh``, as they are before anything is done to them.
        conditioned: the fields to learn from with frozen noise, which noise models are fitted to.
        validation: fields held out.
        test: fields set aside for evaluation, if any.
        statistics: of the conditioned training fields.
        fitted: background and ceiling as the conditioned training fields have them.
        fresh: noise that every training step adds anew, if any.
        fingerprint: hash of the training fields as the data set gave them.
    """

    train: tuple[Field, ...]
    conditioned: tuple[Field, ...]
    validation: tuple[Field, ...]
    test: tuple[Field, ...]
    statistics: IntensityStats
    fitted: FittedRange
    fresh: FreshNoise | None
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
    data, how = spec.data, _conditioning(spec)
    train = read_fields(data.train, spec.channels)
    test: tuple[Field, ...] = ()
    if data.validation is None:
        train, validation, test = split_fields(
            train, data.split, data.validation_fraction, seed=spec.training.seed
        )
    else:
        validation = read_fields(data.validation, spec.channels)
    assert_disjoint(train, validation, test)
    learnt = condition(train, how)
    fresh, ceiling = fresh_noise(how, learnt), learnt.fitted.ceiling
    return PreparedData(
        train=learnt.fields if fresh is None else train,
        conditioned=learnt.fields,
        validation=condition(validation, how, ceiling=ceiling).fields,
        test=condition(test, how, ceiling=ceiling).fields,
        statistics=intensity_stats(
            [field.observed for field in learnt.fields],
            data.mixing,
            normalisation=data.statistics,
            noiseless=learnt.noiseless if data.degradation.gaussian else None,
        ),
        fitted=learnt.fitted,
        fresh=fresh,
        fingerprint=data_fingerprint(train),
    )


def evaluation_fields(
    spec: ResolvedSpec, *, ceiling: tuple[float, ...] | None = None
) -> tuple[str, tuple[Field, ...]]:
    """Fields to evaluate on, and where they come from: the test data, or else the validation data.

    Args:
        spec: of the run.
        ceiling: of the run, counts; None measures it anew, for which the training data has to be read.

    Raises:
        ImageError, ChannelCountError: see ``Dataset.fields``.
    """
    data = spec.data
    if ceiling is None and data.clip.quantile < 1:
        ceiling = prepare(spec).fitted.ceiling
    if data.test is not None:
        source, fields = "test", read_fields(data.test, spec.channels)
    elif data.validation is not None:
        source, fields = "validation", read_fields(data.validation, spec.channels)
    else:
        everything = read_fields(data.train, spec.channels)
        _, validation, test = split_fields(
            everything, data.split, data.validation_fraction, seed=spec.training.seed
        )
        source, fields = ("test", test) if test else ("validation", validation)
    return source, condition(fields, _conditioning(spec), ceiling=ceiling).fields


def require_same_range(spec: ResolvedSpec, trained: ResolvedSpec) -> None:
    """Check that a changed spec of a run keeps the background and the ceiling it was trained with.

    Raises:
        SpecError: it does not.
    """
    if (spec.data.background, spec.data.clip) != (trained.data.background, trained.data.clip):
        problem = (
            f"$.data: background and clip belong to the run (got {spec.data.background} and "
            f"{spec.data.clip}). Leave them out of --set, or train anew with them."
        )
        raise SpecError([problem])


def _conditioning(spec: ResolvedSpec) -> Conditioning:
    data = spec.data
    return Conditioning(
        degradation=data.degradation,
        background=data.background,
        clip=data.clip,
        mixing=data.mixing,
        seed=spec.training.seed,
    )


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
