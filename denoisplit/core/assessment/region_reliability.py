"""How well errors of sums over regions were predicted: from joint samples, and as if pixels erred alone."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt

from denoisplit.core.assessment.coverage import LEVELS, Coverage
from denoisplit.core.assessment.regions import RegionErrors, half_width

Float64Array = npt.NDArray[np.float64]

FEW_REGIONS: Final = 20
"""Below this number, one region more or less moves the coverage by over 5 %."""


@attrs.frozen(kw_only=True)
class RegionAnswer:
    """One way to predict the error of sums.

    Attributes:
        rmv: root mean predicted variance of the sums, counts.
        coverage: fraction of regions whose true sum lies within the interval.
    """

    rmv: float
    coverage: tuple[Coverage, ...]


@attrs.frozen(kw_only=True)
class RegionReliability:
    """Sums over one kind of regions of one channel.

    Attributes:
        channel: its name.
        regions: what the regions are.
        count: number of regions in all fields.
        pixels: mean number of pixels in a region.
        rmse: real error of the sums, root mean square, counts.
        joint: from the sums of the posterior samples.
        independent: from the std of the pixels as predicted, as if their errors were independent.
        independent_calibrated: from the calibrated std of the pixels; None without a calibration.
        notes: what cannot be said and why, a sentence each.
    """

    channel: str
    regions: str
    count: int
    pixels: float
    rmse: float
    joint: RegionAnswer
    independent: RegionAnswer
    independent_calibrated: RegionAnswer | None
    notes: tuple[str, ...] = ()


def region_reliability(
    fields: Sequence[Sequence[RegionErrors]], channel_names: Sequence[str]
) -> tuple[RegionReliability, ...]:
    """Every channel with every kind of regions, over all fields that have them.

    Args:
        fields: what was found in every field.
        channel_names: one name per channel.
    """
    by_name: dict[str, list[RegionErrors]] = {}
    for field in fields:
        for errors in field:
            by_name.setdefault(errors.name, []).append(errors)
    return tuple(
        _of_channel(name, found, channel, index)
        for index, channel in enumerate(channel_names)
        for name, found in by_name.items()
    )


def _of_channel(name: str, found: Sequence[RegionErrors], channel: str, index: int) -> RegionReliability:
    error = np.concatenate([f.error[index] for f in found])
    joint = np.concatenate([f.joint_variance[index] for f in found])
    independent = np.concatenate([f.independent_variance[index] for f in found])
    calibrated = [f.calibrated_variance[index] for f in found if f.calibrated_variance is not None]
    levels = found[0].joint_inside
    inside = {level: np.concatenate([f.joint_inside[level][index] for f in found]) for level in levels}
    return RegionReliability(
        channel=channel,
        regions=name,
        count=len(error),
        pixels=float(np.concatenate([f.pixels for f in found]).mean()),
        rmse=_root(error**2),
        joint=RegionAnswer(rmv=_root(joint), coverage=_counted(inside)),
        independent=_gaussian(error, independent),
        independent_calibrated=_gaussian(error, np.concatenate(calibrated)) if calibrated else None,
        notes=_notes(name, channel, len(error), levels),
    )


def _gaussian(error: Float64Array, variance: Float64Array) -> RegionAnswer:
    std = np.sqrt(variance)
    inside = {level: np.abs(error) <= half_width(level) * std for level in LEVELS}
    return RegionAnswer(rmv=_root(variance), coverage=_counted(inside))


def _counted(inside: Mapping[float, npt.NDArray[np.bool_]]) -> tuple[Coverage, ...]:
    return tuple(Coverage(level, float(there.mean())) for level, there in inside.items())


def _root(squares: Float64Array) -> float:
    return float(np.sqrt(squares.mean()))


def _notes(name: str, channel: str, count: int, levels: Mapping[float, Any]) -> tuple[str, ...]:
    notes = []
    if count < FEW_REGIONS:
        notes.append(f"{channel}, {name}: only {count} regions, so their coverage is a rough number.")
    missing = [f"{level:.0%}" for level in LEVELS if level not in levels]
    if missing:
        notes.append(
            f"{channel}, {name}: too few samples for the joint interval of {' and '.join(missing)}; "
            f"use more --samples."
        )
    return tuple(notes)
