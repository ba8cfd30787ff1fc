"""Training data of a spec: fields, splits, statistics, pairs for noise models."""

import json
import logging
from collections.abc import Callable, Sequence
from typing import Final

import attrs

from denoisplit.core.errors import ImageError, SpecError
from denoisplit.core.images.bases import Field
from denoisplit.core.images.blank_frames import without_blank
from denoisplit.core.images.conditioning import Conditioned, Conditioning
from denoisplit.core.images.data_fingerprint import DisjointFields, ServedFields, assert_disjoint
from denoisplit.core.images.exposures import refuse_shared_scenes
from denoisplit.core.images.fresh_noise import FreshNoise, fresh_noise
from denoisplit.core.images.hot_pixels import healed_field
from denoisplit.core.images.image_checks import check_fields
from denoisplit.core.images.intensity_statistics import intensity_stats
from denoisplit.core.images.large_fields import CENTRE, in_memory
from denoisplit.core.images.lazy import LazyArray
from denoisplit.core.images.mixed_range import FittedRange
from denoisplit.core.images.recorded_mixed import condition_fields, recorded_images
from denoisplit.core.images.selection import select, select_noiseless
from denoisplit.core.images.splits import split_fields
from denoisplit.core.network.interfaces import IntensityStats
from denoisplit.core.spec.records import Chosen, ResolvedSpec
from denoisplit.core.training.data.lossy_files import told_lossy
from denoisplit.core.training.data.open_dataset import fields_of, open_dataset
from denoisplit.core.training.data.pairs import noise_pairs as noise_pairs

_LOG = logging.getLogger("denoisplit.training")


@attrs.frozen(kw_only=True)
class PreparedData:
    """Training data, read and checked.

    Attributes:
        train: training fields; with ``fresh``, before any conditioning.
        conditioned: training fields with frozen noise, for the fit of noise models.
        validation: held-out fields.
        test: fields for evaluation, if any.
        statistics: intensity statistics of the conditioned training fields.
        fitted: background and ceiling of the conditioned training fields.
        fresh: noise that every training step adds anew, if any.
        known: fingerprints of all fields as the data sets gave them.
    """

    train: tuple[Field, ...]
    conditioned: tuple[Field, ...]
    validation: tuple[Field, ...]
    test: tuple[Field, ...]
    statistics: IntensityStats
    fitted: FittedRange
    fresh: FreshNoise | None
    known: DisjointFields

    @property
    def fingerprint(self) -> str:
        """Hash of the training fields as the data set gave them."""
        return self.known.fingerprint

    @property
    def served(self) -> ServedFields:
        """Fingerprints of the training and validation fields, one by one."""
        return self.known.served


def read_fields(chosen: Chosen, channels: tuple[str, ...]) -> tuple[Field, ...]:
    """Read all fields of a data set of these channels, without blank frames, with hot pixels healed.

    Raises:
        ImageError, ChannelCountError: see ``Dataset.fields``.
    """
    fields, remarks = without_blank(fields_of(open_dataset(chosen, channels), chosen, channels))
    for remark in (*remarks, *told_lossy(fields)):
        _LOG.warning(remark)
    check_fields(fields)
    return tuple(healed_field(field) for field in fields)


def served_fields(spec: ResolvedSpec) -> tuple[tuple[Field, ...], tuple[Field, ...], tuple[Field, ...]]:
    """Read training and validation fields as the data sets give them, and the test fields of ``split``.

    Raises:
        ImageError: no usable images, or too few to split.
    """
    data = spec.data
    names = data.recorded or spec.channels
    train = read_fields(data.train, names)
    if data.validation is not None:
        return train, read_fields(data.validation, names), ()
    return split_fields(train, data.split, data.validation_fraction, seed=spec.training.seed)


def prepare(spec: ResolvedSpec) -> PreparedData:
    """Read the training data of a spec.

    Raises:
        ImageError: no usable images, or two of training, validation and test data share pixels or places.
    """
    return _prepared(spec, refuse_shared_scenes)


def prepare_denoised(spec: ResolvedSpec) -> PreparedData:
    """Read images that a network predicted from others, without a check for shared places.

    The places of the originals were checked before. A network that has learnt little makes all images alike,
    which does not make them exposures of one place.

    Raises:
        ImageError: see ``prepare``, except for places.
    """
    return _prepared(spec, lambda _splits: None)


def _prepared(
    spec: ResolvedSpec, refuse: Callable[[Sequence[tuple[str, Sequence[Field]]]], None]
) -> PreparedData:
    data, how = spec.data, conditioning(spec)
    train, validation, test = served_fields(spec)
    named = () if data.test is None else read_fields(data.test, data.recorded or spec.channels)
    known = assert_disjoint(train, validation, (*test, *named))
    if data.validation is not None or named:  # otherwise, the split keeps places together
        refuse((("training", train), ("validation", validation), ("test", named)))
    del named
    measured = condition_fields(train, how)
    learnt = _selected(measured.fields, spec)
    fresh = fresh_noise(how, measured)
    return PreparedData(
        train=learnt if fresh is None else train,
        conditioned=learnt,
        validation=_selected(condition_fields(validation, how, ceiling=measured.ceiling).fields, spec),
        test=_selected(condition_fields(test, how, ceiling=measured.ceiling).fields, spec),
        statistics=_statistics(spec, measured, learnt),
        fitted=measured.fitted,
        fresh=fresh,
        known=known,
    )


def held_out_alone(
    spec: ResolvedSpec, chosen: Chosen, ceiling: tuple[float, ...]
) -> tuple[tuple[Field, ...], tuple[str, ...]]:
    """Read the held-out fields of a run whose spec names them, and no training images.

    Args:
        spec: spec of the run.
        chosen: its validation data.
        ceiling: ceiling of its training images, counts.

    Returns:
        The fields as ``prepare`` gives them, and their fingerprints as in ``ServedFields``.

    Raises:
        ImageError: no usable images.
    """
    given = read_fields(chosen, spec.data.recorded or spec.channels)
    known = assert_disjoint((), given)
    conditioned = condition_fields(given, conditioning(spec), ceiling=ceiling)
    return _selected(conditioned.fields, spec), known.served.held_out


def splits_text(data: PreparedData) -> str:
    """Names of the fields of every split as JSON; the same for the same split."""
    parts = {"train": data.train, "validation": data.validation, "test": data.test}
    names = {part: [field.name for field in fields] for part, fields in parts.items()}
    return json.dumps(names, indent=2, ensure_ascii=False) + "\n"


def _selected(fields: Sequence[Field], spec: ResolvedSpec) -> tuple[Field, ...]:
    """Return the fields with the channels of the network."""
    if not spec.data.recorded:
        return tuple(fields)
    (wanted,) = spec.channels
    return tuple(select(field, wanted, spec.data.recorded, spec.data.mixing) for field in fields)


def _statistics(spec: ResolvedSpec, measured: Conditioned, learnt: Sequence[Field]) -> IntensityStats:
    """Statistics of the training fields, with means before additive noise, as in the reference."""
    data = spec.data
    noiseless: Sequence[LazyArray] = measured.noiseless
    if data.recorded:
        noiseless = [
            select_noiseless(pixels, spec.channels[0], data.recorded, data.mixing, field=field)
            for pixels, field in zip(measured.noiseless, measured.fields, strict=True)
        ]
    return intensity_stats(
        [field.observed for field in learnt],
        data.mixing,
        normalisation=data.statistics,
        noiseless=noiseless if data.degradation.gaussian else None,
        recorded=recorded_images(learnt) or None,
    )


@attrs.frozen(kw_only=True)
class EvaluationData:
    """Fields to evaluate on.

    Attributes:
        source: where they come from: ``test``, or else ``validation``.
        fields: the conditioned fields, as the network sees them.
        given: the same fields as the data set gave them.
        whole: all fields of the training data, as given, if these are a part of it; else none.
    """

    source: str
    fields: tuple[Field, ...]
    given: tuple[Field, ...]
    whole: tuple[Field, ...] = ()


OTHER_IMAGES: Final = (
    "'denoisplit evaluate' and 'report' take others: --set 'data.test={use: folder, path: FOLDER}'."
)
"""Advice where the images of a run are gone that were to be looked at."""


def evaluation_data(spec: ResolvedSpec, *, ceiling: tuple[float, ...] | None = None) -> EvaluationData:
    """Read the fields to evaluate on: the test data, or else the validation data.

    Args:
        spec: spec of the run.
        ceiling: ceiling of the run, counts; None measures it anew, for which the training data is read.

    Raises:
        ImageError, ChannelCountError: see ``Dataset.fields``.
    """
    data = spec.data
    if ceiling is None and data.clip.quantile < 1:
        ceiling = prepare(attrs.evolve(spec, data=attrs.evolve(data, test=None))).fitted.ceiling
    names = data.recorded or spec.channels
    everything: tuple[Field, ...] = ()
    if data.test is not None:
        source, fields = "test", read_fields(data.test, names)
    elif data.validation is not None:
        source, fields = "validation", read_fields(data.validation, names)
    else:
        everything = read_fields(data.train, names)
        _, validation, test = split_fields(
            everything, data.split, data.validation_fraction, seed=spec.training.seed
        )
        source, fields = ("test", test) if test else ("validation", validation)
    conditioned = condition_fields(fields, conditioning(spec), ceiling=ceiling)
    shown = in_memory(_selected(conditioned.fields, spec), CENTRE, "evaluation")
    return EvaluationData(source=source, fields=shown, given=fields, whole=everything)


def evaluation_fields(
    spec: ResolvedSpec, *, ceiling: tuple[float, ...] | None = None
) -> tuple[str, tuple[Field, ...]]:
    """Return ``source`` and ``fields`` of ``evaluation_data``."""
    found = evaluation_data(spec, ceiling=ceiling)
    return found.source, found.fields


def require_same_range(spec: ResolvedSpec, trained: ResolvedSpec) -> None:
    """Check that a changed spec of a run keeps the background and the ceiling of its training.

    Raises:
        SpecError: it does not.
    """
    if (spec.data.background, spec.data.clip) != (trained.data.background, trained.data.clip):
        raise SpecError(
            f"$.data: background and clip belong to the run (got {spec.data.background} and "
            f"{spec.data.clip}). Leave them out of --set, or train anew with them."
        )


def conditioning(spec: ResolvedSpec) -> Conditioning:
    """Return how the images of a spec are changed before anything is learnt from them."""
    data = spec.data
    return Conditioning(
        degradation=data.degradation,
        background=data.background,
        clip=data.clip,
        mixing=data.mixing,
        seed=spec.training.seed,
    )


def require_clean(fields: Sequence[Field], purpose: str) -> tuple[Field, ...]:
    """Return the fields that have a clean reference.

    Raises:
        ImageError: no field has one.
    """
    found = tuple(field for field in fields if field.clean is not None)
    if not found:
        raise ImageError(
            f"{purpose}: none of the {len(fields)} fields has a clean reference. "
            f"Name the clean images in the data set (clean: '*_clean.tif' of the data set folder)."
        )
    return found
