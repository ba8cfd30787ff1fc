"""How well errors of sums over regions were predicted: from joint samples, and as if pixels erred alone."""

from collections.abc import Sequence
from typing import Final

import attrs
import numpy as np

from denoisplit.core.arrays import Float64Array
from denoisplit.core.assessment.coverage import LEVELS, Coverage
from denoisplit.core.assessment.region_calibration import RegionCalibration, calibrate_regions
from denoisplit.core.assessment.regions import (
    INDEPENDENT,
    INDEPENDENT_CALIBRATED,
    JOINT,
    JOINT_BY_SIZE,
    JOINT_CALIBRATED,
    RegionErrors,
)

FEW_REGIONS: Final = 20
"""Below this number, one region more or less moves the coverage by over 5 %."""


@attrs.frozen(kw_only=True)
class RegionAnswer:
    """One way to predict the error of sums.

    Attributes:
        rmv: root mean predicted variance of the sums, counts.
        coverage: fraction of regions whose true sum lies within the interval.
        regions: how many of them have such a prediction.
    """

    rmv: float
    coverage: tuple[Coverage, ...]
    regions: int


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
        joint_by_size: from the sums of the samples and the calibration of sums of the run, as far as it knows
            such regions; or None.
        joint_calibrated: from the sums of the samples, stretched as the calibration stretches the std of the
            pixels; or None.
        independent: from the std of the pixels as predicted, as if their errors were independent.
        independent_calibrated: from the calibrated std of the pixels; None without a calibration.
        calibration: how far the intervals of the joint samples (calibrated, if there is a calibration) have
            to be widened, learnt from other fields; None for a single field.
        notes: what cannot be said and why, a sentence each.
    """

    channel: str
    regions: str
    count: int
    pixels: float
    rmse: float
    joint: RegionAnswer
    joint_by_size: RegionAnswer | None
    joint_calibrated: RegionAnswer | None
    independent: RegionAnswer
    independent_calibrated: RegionAnswer | None
    calibration: RegionCalibration | None = None
    notes: tuple[str, ...] = ()


def region_reliability(
    fields: Sequence[Sequence[RegionErrors]], channel_names: Sequence[str]
) -> tuple[RegionReliability, ...]:
    """Every channel with every kind of regions, over all fields that have them.

    Args:
        fields: what was found in every field.
        channel_names: one name per channel.
    """
    by_name: dict[str, list[list[RegionErrors]]] = {}
    for field in fields:
        for name in dict.fromkeys(errors.name for errors in field):
            by_name.setdefault(name, []).append([errors for errors in field if errors.name == name])
    return tuple(
        _of_channel(name, found, channel, index)
        for index, channel in enumerate(channel_names)
        for name, found in by_name.items()
    )


def _of_channel(
    name: str, fields: Sequence[Sequence[RegionErrors]], channel: str, index: int
) -> RegionReliability:
    found = [errors for field in fields for errors in field]
    error = np.concatenate([f.error[index] for f in found])

    def answer(how: str) -> RegionAnswer | None:
        parts = [f.predictions[how] for f in found if how in f.predictions]
        variance = np.concatenate([part.variance[index] for part in parts]) if parts else np.empty(0)
        known = np.isfinite(variance)
        if not known.any():
            return None
        inside = {
            level: np.concatenate([part.inside[level][index] for part in parts])[known]
            for level in parts[0].inside
        }
        return RegionAnswer(
            rmv=_root(variance[known]),
            coverage=tuple(Coverage(level, float(there.mean())) for level, there in inside.items()),
            regions=int(known.sum()),
        )

    def surely(how: str) -> RegionAnswer:
        predicted = answer(how)
        if predicted is None:
            raise ValueError(f"no sum has a prediction of the kind {how}. Pass the errors of RegionSums.")
        return predicted

    calibrated = INDEPENDENT_CALIBRATED in found[0].predictions
    joint = surely(JOINT)
    base = JOINT_CALIBRATED if calibrated else JOINT
    return RegionReliability(
        channel=channel,
        regions=name,
        count=len(error),
        pixels=float(np.concatenate([f.pixels for f in found]).mean()),
        rmse=_root(error**2),
        joint=joint,
        joint_by_size=answer(JOINT_BY_SIZE),
        joint_calibrated=answer(JOINT_CALIBRATED),
        independent=surely(INDEPENDENT),
        independent_calibrated=answer(INDEPENDENT_CALIBRATED),
        calibration=calibrate_regions(
            [np.concatenate([f.error[index] for f in field]) for field in fields],
            [np.concatenate([f.predictions[base].variance[index] for f in field]) for field in fields],
        ),
        notes=_notes(name, channel, len(error), [c.level for c in joint.coverage]),
    )


def _root(squares: Float64Array) -> float:
    return float(np.sqrt(squares.mean()))


def _notes(name: str, channel: str, count: int, levels: Sequence[float]) -> tuple[str, ...]:
    notes = []
    if count < FEW_REGIONS:
        few = "only 1 region" if count == 1 else f"only {count} regions"
        notes.append(f"{channel}, {name}: {few}, so their coverage is a rough number.")
    missing = [f"{level:.0%}" for level in LEVELS if level not in levels]
    if missing:
        notes.append(
            f"{channel}, {name}: too few samples for the joint interval of {' and '.join(missing)}; "
            f"use more --samples."
        )
    return tuple(notes)
