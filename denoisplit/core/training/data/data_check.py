"""Check of a spec's data sets before training: their content, and what is wrong or odd about it."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import attrs
import numpy as np

from denoisplit.core.errors import DenoisplitError, ImageError
from denoisplit.core.images.bases import Field
from denoisplit.core.images.blank_frames import without_blank
from denoisplit.core.images.block_walks import extremes, thinned
from denoisplit.core.images.data_fingerprint import assert_disjoint, field_fingerprint
from denoisplit.core.images.derived_images import channel_of
from denoisplit.core.images.exposures import refuse_shared_scenes
from denoisplit.core.images.recorded_mixed import require_mixed_as_recorded
from denoisplit.core.images.splits import split_fields
from denoisplit.core.spec.records import Chosen, ResolvedSpec
from denoisplit.core.storage.start_folder import remarks_on_start, require_known_start
from denoisplit.core.training.data.clean_counts import told_other_counts
from denoisplit.core.training.data.hidden_flaws import (
    told_exposures,
    told_hot_pixels,
    told_pixel_sizes,
    told_pixels,
    told_same_channels,
)
from denoisplit.core.training.data.lossy_files import told_lossy
from denoisplit.core.training.data.noise_sources import refused_noise
from denoisplit.core.training.data.open_dataset import fields_of, open_dataset
from denoisplit.core.training.data.supervision import supervision
from denoisplit.core.training.data.unfit_sizes import misshapen, too_small
from denoisplit.core.training.data.wrong_partners import told_wrong_partners

SATURATED: Final = 5e-4
"""Share of pixels at the highest value above which images are taken for saturated."""
_FAINT: Final = 0.05
_FEW: Final = 3
_SAMPLE: Final = 100_000
"""Pixels per image for quantiles."""


@attrs.frozen(kw_only=True)
class ChannelSummary:
    """Intensities of one channel over the fields of a split, counts.

    Attributes:
        name: name of the channel.
        lowest, median, bright, highest: minimum, median, 99th percentile and maximum.
        at_highest: share of the pixels that have the highest value of their image, beside one in each.
    """

    name: str
    lowest: float
    median: float
    bright: float
    highest: float
    at_highest: float


@attrs.frozen(kw_only=True)
class SplitSummary:
    """The fields of one split.

    Attributes:
        name: ``train``, ``validation`` or ``test``.
        fields: the fields.
        channels: intensities of each channel.
    """

    name: str
    fields: tuple[Field, ...]
    channels: tuple[ChannelSummary, ...]


@attrs.frozen(kw_only=True)
class DataReport:
    """Result of a check.

    Attributes:
        supervision: one sentence on what the network learns from.
        splits: the splits that could be read.
        errors: reasons why the spec cannot be trained or evaluated.
        warnings: oddities that the owner of the images should look at.
    """

    supervision: str
    splits: tuple[SplitSummary, ...]
    errors: tuple[str, ...]
    warnings: tuple[str, ...]


def check_data(spec: ResolvedSpec) -> DataReport:
    """Read all images of a spec and look for problems; nothing is written or trained.

    Fields that are not in memory are read block by block, several times.
    """
    errors: list[str] = []
    warnings: list[str] = []
    try:
        require_known_start(spec.training)
        warnings += remarks_on_start(spec.training)
    except DenoisplitError as error:
        errors.append(str(error))
    names = spec.data.recorded or spec.channels
    found = _splits(spec, names, errors, warnings)
    read = {name: fields for name, fields in found.items() if fields}
    prints, repeated = _fingerprints(read)
    errors += repeated
    if not repeated and (spec.data.validation is not None or spec.data.test is not None):
        errors += _shared_scenes(read)
    splits = []
    for name, fields in read.items():
        errors += misshapen(spec, fields)
        if name == "train":
            errors += too_small(spec, fields)
        warnings += _odd(name, fields, prints[name])
        warnings += told_hot_pixels(name, fields)
        warnings += told_wrong_partners(name, fields)
        if len({field.observed.shape[0] for field in fields}) == 1:
            channels = tuple(_summary(channel, i, fields) for i, channel in enumerate(names))
            warnings += _intensities(name, channels)
            warnings += told_pixels(name, names, fields)
            warnings += told_other_counts(name, names, fields)
            splits.append(SplitSummary(name=name, fields=fields, channels=channels))
    warnings += _saturated(splits)
    everything = [field for fields in read.values() for field in fields]
    if not errors:
        errors += refused_noise(spec, found["train"], (*found["validation"], *found["test"]))
    warnings += told_pixel_sizes(everything)
    warnings += told_same_channels(names, everything)
    # The same images in two splits are told already.
    warnings += told_exposures(spec.data.noise_pairs, found["train"] if repeated else everything)
    return DataReport(
        supervision=supervision(spec, everything),
        splits=tuple(splits),
        errors=tuple(dict.fromkeys(errors)),
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _splits(
    spec: ResolvedSpec, names: tuple[str, ...], errors: list[str], warnings: list[str]
) -> dict[str, tuple[Field, ...]]:
    """Read the fields of every split, in order; note and leave out those that cannot be read."""

    def read(chosen: Chosen) -> tuple[Field, ...]:
        try:
            dataset = open_dataset(chosen, names)
            fields, remarks = without_blank(fields_of(dataset, chosen, names))
            warnings.extend((*remarks, *told_lossy(fields), *dataset.remarks()))
        except DenoisplitError as error:
            errors.append(str(error))
            return ()
        return fields

    data = spec.data
    found = {"train": read(data.train), "validation": (), "test": ()}
    if data.validation is not None:
        found["validation"] = read(data.validation)
    elif found["train"]:
        try:
            parts = split_fields(
                found["train"], data.split, data.validation_fraction, seed=spec.training.seed
            )
            found = dict(zip(found, parts, strict=True))
        except ImageError as error:
            errors.append(str(error))
    if data.test is not None:
        found["test"] = read(data.test)
    try:
        require_mixed_as_recorded(found["train"], data.mixing, fresh=data.degradation.fresh)
    except ImageError as error:
        errors.append(str(error))
    return found


def _summary(name: str, index: int, fields: Sequence[Field]) -> ChannelSummary:
    images = [channel_of(field.observed, index) for field in fields]
    found = [extremes(image) for image in images]
    median, bright = np.quantile(np.concatenate([thinned(image, _SAMPLE) for image in images]), (0.5, 0.99))
    return ChannelSummary(
        name=name,
        lowest=min(one.lowest for one in found),
        median=float(median),
        bright=float(bright),
        highest=max(one.highest for one in found),
        # One pixel is always the brightest; any others at the same value were clipped.
        at_highest=sum(one.at_highest - 1 for one in found) / sum(math.prod(image.shape) for image in images),
    )


def _fingerprints(splits: Mapping[str, Sequence[Field]]) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Return the fingerprints of the fields of every split, and what is wrong where splits share pixels."""
    train, validation, test = (splits.get(name, ()) for name in ("train", "validation", "test"))
    try:
        found = assert_disjoint(train, validation, test)
    except ImageError as error:
        prints = {name: tuple(map(field_fingerprint, fields)) for name, fields in splits.items()}
        return prints, [str(error)]
    known = {"train": found.train, "validation": found.validation, "test": found.test}
    return {name: tuple(marks.observed for marks in known[name]) for name in splits}, []


def _shared_scenes(splits: Mapping[str, tuple[Field, ...]]) -> list[str]:
    try:
        refuse_shared_scenes(tuple(splits.items()))
    except ImageError as error:
        return [str(error)]
    return []


def _odd(split: str, fields: Sequence[Field], prints: Sequence[str]) -> list[str]:
    said = []
    seen: dict[str, str] = {}
    for field, fingerprint in zip(fields, prints, strict=True):
        if fingerprint in seen:
            first = seen[fingerprint]
            said.append(f"{split}: {field.name} has the same pixels as {first}. Remove one of them.")
        seen.setdefault(fingerprint, field.name)
    kinds = {file.dtype for field in fields for file in field.files if file.role == "observed" and file.dtype}
    if len(kinds) > 1:
        said.append(
            f"{split}: the files differ in their pixel type ({', '.join(sorted(kinds))}). "
            f"Make sure that all are in the same counts."
        )
    if len(fields) < _FEW and split == "train":
        said.append(
            f"{split}: only {len(fields)} field{'s' * (len(fields) > 1)}. "
            f"A network that has seen so few images may fail on others."
        )
    return said


def _saturated(splits: Sequence[SplitSummary]) -> list[str]:
    """One sentence on all splits, because a camera saturates in all of them alike."""
    listed = {
        split.name: [channel for channel in split.channels if channel.at_highest > SATURATED]
        for split in splits
    }
    found = [channel for channels in listed.values() for channel in channels]
    if not found:
        return []
    where = ", ".join(
        f"{split} ({', '.join(channel.name for channel in channels)})"
        for split, channels in listed.items()
        if channels
    )
    share, highest = max(one.at_highest for one in found), max(one.highest for one in found)
    told = f"{where}: up to {share:.2%} of the pixels have exactly the highest value of their image"
    advice = "record with less exposure or gain, or crop bright spots"
    return [f"{told} (up to {highest:g}). They look saturated: {advice}."]


def _intensities(split: str, channels: Sequence[ChannelSummary]) -> list[str]:
    said = []
    for channel in channels:
        where = f"{split}, {channel.name}"
        if channel.lowest < 0:
            said.append(
                f"{where}: there are negative counts (down to {channel.lowest:g}). "
                f"Was a background subtracted? Give raw images if you have them."
            )
    spans = {channel.name: channel.bright - channel.median for channel in channels}
    faint = min(spans, key=lambda name: spans[name])
    brightest = max(spans, key=lambda name: spans[name])
    if spans[faint] < _FAINT * spans[brightest]:
        said.append(
            f"{split}: {faint} is much fainter than {brightest} (its bright pixels rise {spans[faint]:.3g} "
            f"counts above the median, those of {brightest} {spans[brightest]:.3g}). In their sum it may be "
            f"lost."
        )
    return said
