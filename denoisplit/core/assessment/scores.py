"""Scores of an experiment on fields with a known truth, beside two baselines without a network."""

import math
import statistics
from collections.abc import Callable, Sequence
from typing import Any

import attrs

from denoisplit.core.arrays import AnyArray
from denoisplit.core.assessment.baselines import BLUR_SIGMAS, blurred_mixed, share_of_mixed
from denoisplit.core.assessment.bootstrap import MIN_FIELDS, FieldCover, FieldSpread
from denoisplit.core.assessment.catalogue import USUAL, NamedMetric, chosen_metrics
from denoisplit.core.assessment.score import BLURRED, METHODS, SHARE, SPLIT, Score, counted_fields
from denoisplit.core.assessment.sum_errors import SumErrors, SumReliability, sum_reliability
from denoisplit.core.assessment.uncertainty import ChannelUncertainty, channel_uncertainty
from denoisplit.core.errors import ChannelCountError, ImageError
from denoisplit.core.hypertext import heading, paragraph, table
from denoisplit.core.images.bases import PixelSize
from denoisplit.core.images.image_checks import check_finite
from denoisplit.core.images.mixing import Mixing


@attrs.frozen(kw_only=True)
class EvaluatedField:
    """One field of view with its prediction, all in counts.

    Attributes:
        name: name in messages.
        mixed: noisy mixed image [1 (z) y x].
        truth: clean channels [c (z) y x].
        mean: predicted channels [c (z) y x].
        std: predicted std [c (z) y x]; None for a method without std.
        calibrated_std: std after calibration [c (z) y x]; None without calibration.
        covered: masks by level, True where the truth lies within the calibrated interval [c (z) y x]; None
            takes the interval of a Gaussian with the calibrated std. Without ``calibrated_std``, those of a
            calibration that gives intervals only.
        regions: errors of sums over regions; empty if none were asked for.
        pixel_size: pixel size along (z) y x, for scale bars.
    """

    name: str
    mixed: AnyArray = attrs.field(eq=False, repr=False)
    truth: AnyArray = attrs.field(eq=False, repr=False)
    mean: AnyArray = attrs.field(eq=False, repr=False)
    std: AnyArray | None = attrs.field(default=None, eq=False, repr=False)
    calibrated_std: AnyArray | None = attrs.field(default=None, eq=False, repr=False)
    covered: FieldCover | None = attrs.field(default=None, eq=False, repr=False)
    regions: tuple[SumErrors, ...] = attrs.field(default=(), eq=False, repr=False)
    pixel_size: PixelSize | None = None

    def __attrs_post_init__(self) -> None:
        optional = (self.std, self.calibrated_std)
        shapes = [array.shape for array in (self.truth, self.mean, *optional) if array is not None]
        if len(set(shapes)) > 1 or self.mixed.shape != (1, *self.truth.shape[1:]):
            raise ImageError(
                f"field {self.name}: truth, mean and std must have one shape [c (z) y x], and mixed that "
                f"shape with one channel (got {shapes} and {self.mixed.shape}). Give images of one field."
            )


@attrs.frozen(kw_only=True)
class Scores:
    """All scores of an experiment.

    Attributes:
        channels: names of the channels.
        metrics: the metrics, in the order of the table.
        scores: one per channel, metric and method.
        uncertainty: one per channel; empty without a std.
        regions: one per channel and kind of regions; empty without sums.
    """

    channels: tuple[str, ...]
    metrics: tuple[NamedMetric, ...]
    scores: tuple[Score, ...]
    uncertainty: tuple[ChannelUncertainty, ...] = ()
    regions: tuple[SumReliability, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on unknown or doubtful numbers of the uncertainty, with the reasons."""
        if not self.uncertainty:
            return ("No std, so nothing can be said about the uncertainty. Predict with 2 samples or more.",)
        count = self.scores[0].fields
        few = f"{counted_fields(count)}: no bootstrap intervals of the uncertainty, "
        return (
            *((f"{few}which need {MIN_FIELDS} or more.",) if count < MIN_FIELDS else ()),
            *(note for channel in self.uncertainty for note in channel.notes),
            *dict.fromkeys(note for region in self.regions for note in region.notes),
        )

    def of(self, channel: str, metric: str, method: str = SPLIT) -> Score:
        """Return the score of one channel, metric and method; KeyError if there is none."""
        for score in self.scores:
            if (score.channel, score.metric, score.method) == (channel, metric, method):
                return score
        raise KeyError((channel, metric, method))

    def _repr_html_(self) -> str:
        """The table of the scores with the notes, for notebooks."""
        rows = (
            (
                channel,
                metric.words,
                *(self.of(channel, metric.name, method).words(metric) for method in METHODS),
            )
            for channel in self.channels
            for metric in self.metrics
        )
        title = (
            f"Scores against the truth, mean ± standard error over {counted_fields(self.scores[0].fields)}"
        )
        notes = "".join(map(paragraph, self.notes))
        return f"<div>{heading(title)}{table(('channel', 'metric', *METHODS), rows)}{notes}</div>"

    def to_json(self) -> dict[str, Any]:
        """Convert to plain numbers, strings, lists and mappings; None for infinite or undefined numbers."""
        return {
            "channels": list(self.channels),
            "metrics": [{"name": m.name, "label": m.label, "unit": m.unit} for m in self.metrics],
            "scores": [_plain(attrs.asdict(score)) for score in self.scores],
            "uncertainty": [_plain(attrs.asdict(channel)) for channel in self.uncertainty],
            "regions": [_plain(attrs.asdict(regions)) for regions in self.regions],
            "notes": list(self.notes),
        }


def evaluate_fields(
    fields: Sequence[EvaluatedField],
    *,
    channel_names: Sequence[str],
    mixing: Mixing,
    metrics: Sequence[NamedMetric] | None = None,
) -> Scores:
    """Score predictions and the two baselines against the truth.

    Every metric is computed per field and then averaged over fields. The camera offset of ``mixing`` is
    subtracted first, so that it does not raise SSIM. The blurred mixed image takes, per channel and metric,
    the blur that scores best.

    Args:
        fields: fields with truth, at least one.
        channel_names: one name per channel.
        mixing: how the mixed images were made.
        metrics: the metrics, in the order of the table; None for the default ones.

    Raises:
        ImageError: no field, a field whose truth is constant or whose pixels are not finite, or a std that
            only some fields have.
        ChannelCountError: a field has another number of channels than there are names.
        CalibrationError: a std is negative or not finite.
    """
    _check(fields, channel_names)
    metrics = chosen_metrics(USUAL) if metrics is None else metrics
    count = len(channel_names)

    def shared(field: EvaluatedField) -> AnyArray:
        return share_of_mixed(field.mixed, channels=count, mixing=mixing)

    def blurred(sigma: float) -> Callable[[EvaluatedField], AnyArray]:
        return lambda field: blurred_mixed(field.mixed, channels=count, mixing=mixing, sigma=sigma)

    answers = [(SPLIT, "", [field.mean for field in fields])]
    answers += [(BLURRED, f"sigma {s:g} px", [blurred(s)(field) for field in fields]) for s in BLUR_SIGMAS]
    answers += [(SHARE, "", [shared(field) for field in fields])]
    scores = []
    for index, channel in enumerate(channel_names):
        truths = [field.truth[index] - mixing.offset for field in fields]
        for metric in metrics:
            tried = [
                _score(
                    metric, channel, method, note, truths, [image[index] - mixing.offset for image in images]
                )
                for method, note, images in answers
            ]
            scores += [
                _best([score for score in tried if score.method == method], metric) for method in METHODS
            ]
    return Scores(
        channels=tuple(channel_names),
        metrics=tuple(metrics),
        scores=tuple(scores),
        uncertainty=_uncertainty(fields, channel_names),
        regions=sum_reliability([one for field in fields for one in field.regions], channel_names),
    )


def _check(fields: Sequence[EvaluatedField], channel_names: Sequence[str]) -> None:
    if not fields:
        raise ImageError("evaluation: no field has a known truth (got 0 fields). Name a test set with truth.")
    for kind in ("std", "calibrated_std", "covered"):
        given = [getattr(field, kind) is not None for field in fields]
        if any(given) and not all(given):
            raise ImageError(
                f"evaluation: only some fields have {kind} (got {sum(given)} of {len(fields)}). "
                f"Predict all fields in the same way."
            )
    for field in fields:
        if len(field.truth) != len(channel_names):
            raise ChannelCountError(
                f"field {field.name}: it has {len(field.truth)} channels, but {len(channel_names)} are named "
                f"(got {', '.join(channel_names)}). Give one name per channel."
            )
        for name, truth in zip(channel_names, field.truth, strict=True):
            check_finite(truth, f"field {field.name}, truth of {name}")
            if truth.min() == truth.max():
                raise ImageError(
                    f"field {field.name}: the truth of {name} is constant, so it has no score (got "
                    f"{truth.flat[0]} everywhere). Leave this field out."
                )


def _score(
    metric: NamedMetric, channel: str, method: str, note: str, truths: list[AnyArray], answers: list[AnyArray]
) -> Score:
    side = min(min(truth.shape[-2:]) for truth in truths)
    if side < metric.side:
        mean, error, note = None, None, f"n/a (image < {metric.side} px)"
    else:
        values = metric.of_all(truths, answers)
        mean = (math.fsum(values) if all(map(math.isfinite, values)) else sum(values)) / len(values)
        if math.isnan(mean):
            mean, note = None, "n/a (not a number)"
        spread = mean is not None and len(values) > 1 and math.isfinite(mean)
        error = statistics.stdev(values) / math.sqrt(len(values)) if spread else None
    return Score(
        channel=channel,
        method=method,
        metric=metric.name,
        mean=mean,
        standard_error=error,
        fields=len(truths),
        note=note,
    )


def _best(scores: Sequence[Score], metric: NamedMetric) -> Score:
    """The best of several scores of a metric."""
    sign = 1 if metric.larger_is_better else -1
    return max(scores, key=lambda score: -math.inf if score.mean is None else sign * score.mean)


def _uncertainty(
    fields: Sequence[EvaluatedField], channel_names: Sequence[str]
) -> tuple[ChannelUncertainty, ...]:
    return tuple(
        channel_uncertainty(
            channel,
            [_spread(field, index, field.std) for field in fields if field.std is not None],
            [
                _spread(field, index, field.calibrated_std, field.covered)
                for field in fields
                if field.calibrated_std is not None
            ],
            [
                {level: inside[index] for level, inside in field.covered.items()}
                for field in fields
                if field.calibrated_std is None and field.covered is not None
            ],
        )
        for index, channel in enumerate(channel_names)
        if fields[0].std is not None
    )


def _spread(
    field: EvaluatedField, channel: int, std: AnyArray, covered: FieldCover | None = None
) -> FieldSpread:
    return FieldSpread(
        mean=field.mean[channel],
        std=std[channel],
        truth=field.truth[channel],
        covered=None if covered is None else {level: inside[channel] for level, inside in covered.items()},
    )


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
