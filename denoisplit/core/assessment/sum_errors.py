"""Errors of sums over regions, and how well they were predicted.

Errors of neighbouring pixels are correlated. The error of a sum is therefore far larger than the std of
independent pixels would be; it follows only from samples of whole images, together with the run's calibration
of sums.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import attrs
import numpy as np

from denoisplit.core.arrays import AnyArray, BoolArray, Float64Array, IntArray
from denoisplit.core.assessment.coverage import LEVELS, Coverage, half_width
from denoisplit.core.sums.divisions import Division
from denoisplit.core.sums.sum_intervals import SumIntervals

JOINT: Final = "joint"
CALIBRATED: Final = "calibrated"
INDEPENDENT: Final = "independent"
"""Ways to predict the error of a sum."""

FEW_REGIONS: Final = 20
"""Below this number, one region more or less changes the coverage by over 5 %."""

UNCALIBRATED: Final = (
    "The run has no calibration of sums over regions, so its sums have no calibrated intervals: train with a "
    "region_calibrator in the spec, or see train.log for the reason."
)


@attrs.frozen(eq=False)
class PredictedSums:
    """One prediction of the errors of sums.

    Attributes:
        variance: variance of the sums [c regions], counts squared; NaN where it is unknown.
        inside: masks by level, True where the true sum lies within the interval [c regions]; without levels
            that the samples are too few to resolve.
    """

    variance: Float64Array
    inside: Mapping[float, BoolArray]


@attrs.frozen(kw_only=True, eq=False)
class SumErrors:
    """Real and predicted errors of the sums over the regions of one field.

    Attributes:
        name: kind of regions.
        pixels: number of pixels in each region [regions].
        error: predicted minus true sum [c regions], counts.
        predictions: ``joint`` from the sums of the samples; ``independent`` from the std of the pixels, as if
            their errors were independent; and ``calibrated``, if the run has a calibration of sums.
    """

    name: str
    pixels: IntArray
    error: Float64Array
    predictions: Mapping[str, PredictedSums]


@attrs.frozen(kw_only=True)
class SumAnswer:
    """Result of one way to predict the error of sums.

    Attributes:
        rmv: root mean predicted variance of the sums, counts.
        coverage: fraction of regions whose true sum lies within the interval.
        regions: number of regions with such a prediction.
    """

    rmv: float
    coverage: tuple[Coverage, ...]
    regions: int


@attrs.frozen(kw_only=True)
class SumReliability:
    """Reliability of the sums of one channel over one kind of regions.

    Attributes:
        channel: name of the channel.
        regions: kind of regions.
        count: number of regions in all fields.
        pixels: mean number of pixels in a region.
        rmse: real error of the sums, root mean square, counts.
        joint: prediction from the sums of the posterior samples.
        calibrated: prediction from these and the run's calibration of sums, for the regions that it covers;
            None if there are none.
        independent: prediction from the std of the pixels (calibrated, if there is a calibration), as if
            their errors were independent.
        notes: sentences on unknown or doubtful numbers, with the reasons.
    """

    channel: str
    regions: str
    count: int
    pixels: float
    rmse: float
    joint: SumAnswer
    calibrated: SumAnswer | None
    independent: SumAnswer
    notes: tuple[str, ...] = ()


def sum_errors(
    division: Division,
    samples: Float64Array,
    mean: AnyArray,
    std: AnyArray,
    truth: AnyArray,
    intervals: SumIntervals | None = None,
) -> SumErrors:
    """Compute real and predicted errors of the sums over the regions of a field.

    Args:
        division: regions of the field.
        samples: sums of the posterior samples [s c regions], counts.
        mean: predicted image [c (z) y x], counts.
        std: std of the pixels, of the same shape, counts.
        truth: clean image of the same shape, counts.
        intervals: the run's calibration of sums; None if it has none.
    """
    true = division.sums(truth)
    error, spread = division.sums(mean) - true, samples.std(axis=0, ddof=1)
    variance = division.sums(np.square(std, dtype=np.float64))
    predictions = {
        JOINT: PredictedSums(samples.var(axis=0, ddof=1), _between_quantiles(samples, true)),
        INDEPENDENT: PredictedSums(
            variance, {level: np.abs(error) <= half_width(level) * np.sqrt(variance) for level in LEVELS}
        ),
    }
    pixels = division.pixels
    if intervals is not None:
        found = {level: intervals.of(pixels, channels=len(error), level=level) for level in LEVELS}
        predictions[CALIBRATED] = PredictedSums(
            np.square(found[LEVELS[0]][0] * spread),
            {level: np.abs(error) <= half * spread for level, (_, half) in found.items()},
        )
    return SumErrors(name=division.name, pixels=pixels, error=error, predictions=predictions)


def sum_reliability(found: Sequence[SumErrors], channel_names: Sequence[str]) -> tuple[SumReliability, ...]:
    """Summarise the errors of every channel for every kind of regions."""
    names = dict.fromkeys(errors.name for errors in found)
    return tuple(
        _of_channel([errors for errors in found if errors.name == name], channel, index)
        for index, channel in enumerate(channel_names)
        for name in names
    )


def samples_needed(level: float) -> int:
    """Number of samples from which a central interval of this level lies between the outermost ones."""
    return math.ceil(round(2 / (1 - level), 9)) - 1


def _of_channel(found: Sequence[SumErrors], channel: str, index: int) -> SumReliability:
    error = np.concatenate([errors.error[index] for errors in found])
    joint, calibrated, independent = (
        _answer([errors.predictions[how] for errors in found if how in errors.predictions], index)
        for how in (JOINT, CALIBRATED, INDEPENDENT)
    )
    return SumReliability(
        channel=channel,
        regions=found[0].name,
        count=len(error),
        pixels=float(np.concatenate([errors.pixels for errors in found]).mean()),
        rmse=_root(error**2),
        joint=joint,
        calibrated=calibrated if calibrated.regions else None,
        independent=independent,
        notes=_notes(f"{channel}, {found[0].name}", found, joint),
    )


def _answer(parts: Sequence[PredictedSums], channel: int) -> SumAnswer:
    """Summarise one way to predict the sums of a channel, over all regions with a prediction."""
    variance = np.concatenate([np.empty(0), *(part.variance[channel] for part in parts)])
    known = np.isfinite(variance)
    if not known.any():
        return SumAnswer(rmv=math.nan, coverage=(), regions=0)
    inside = {
        level: np.concatenate([part.inside[level][channel] for part in parts])[known]
        for level in parts[0].inside
    }
    return SumAnswer(
        rmv=_root(variance[known]),
        coverage=tuple(Coverage(level, float(there.mean())) for level, there in inside.items()),
        regions=int(known.sum()),
    )


def _root(squares: Float64Array) -> float:
    return float(np.sqrt(squares.mean()))


def _between_quantiles(sums: Float64Array, true: Float64Array) -> dict[float, BoolArray]:
    r"""Masks by level, True where the truth lies between quantiles of the samples.

    The k-th smallest of n samples is the quantile :math:`k / (n + 1)`: a truth that is exchangeable with the
    samples lies below it with exactly this probability, however few they are. In between, quantiles are
    interpolated.
    """
    inside = {}
    for level in LEVELS:
        if len(sums) >= samples_needed(level):
            low, high = np.quantile(sums, ((1 - level) / 2, (1 + level) / 2), axis=0, method="weibull")
            inside[level] = (low <= true) & (true <= high)
    return inside


def _notes(what: str, found: Sequence[SumErrors], joint: SumAnswer) -> tuple[str, ...]:
    notes = [] if any(CALIBRATED in errors.predictions for errors in found) else [UNCALIBRATED]
    if joint.regions < FEW_REGIONS:
        few = "only 1 region" if joint.regions == 1 else f"only {joint.regions} regions"
        notes.append(f"{what}: {few}, so their coverage is a rough number.")
    missing = [level for level in LEVELS if level not in [c.level for c in joint.coverage]]
    if missing:
        levels = " and ".join(f"{level:.0%}" for level in missing)
        needed = samples_needed(max(missing))
        notes.append(f"Too few samples for the joint interval of {levels}: use --samples {needed} or more.")
    return tuple(notes)
