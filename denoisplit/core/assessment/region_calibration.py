"""Intervals of sums over regions that hold: the spread of the joint samples, widened as other fields ask for.

No calibrator component: one sees pixels, and the error of a sum is not in them.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from denoisplit.core.arrays import Float64Array
from denoisplit.core.assessment.coverage import LEVELS, Coverage
from denoisplit.core.assessment.regions import half_width

HOLDS_AT: Final = 0.9
TOLERANCE: Final = 0.05
"""How far the coverage of fields that were left out may be from the level."""


@attrs.frozen(kw_only=True)
class RegionCalibration:
    """Half-widths of intervals of the sums over one kind of regions of one channel.

    Attributes:
        half_widths: by level, half of the interval in joint stds of the sum; a Gaussian has 1.645 at 0.9.
            Without the levels that need more regions.
        left_out: coverage of every field with the half-widths of the other fields.
        regions: number of regions that it was fitted to.
        holds: whether the 90 % interval of left-out fields covers 85 to 95 %: at this size, such intervals
            can be used on images like these.
    """

    half_widths: Mapping[float, float]
    left_out: tuple[Coverage, ...]
    regions: int
    holds: bool

    @property
    def widening(self) -> float | None:
        """How many times as wide as that of a Gaussian the 90 % interval is; None for too few regions."""
        half = self.half_widths.get(HOLDS_AT)
        return None if half is None else half / half_width(HOLDS_AT)


def calibrate_regions(
    errors: Sequence[Float64Array], variances: Sequence[Float64Array]
) -> RegionCalibration | None:
    r"""Half-widths from the errors of sums in several fields.

    The half-width of a level is the quantile of abs(error) / joint std over all regions with the correction
    of split conformal prediction, :math:`\lceil (n + 1) p \rceil / n`. Regions of a field resemble each
    other, so what counts is the coverage of fields that were left out, not that of the fitted ones.

    Args:
        errors: of the sums, [regions] of every field, counts.
        variances: of the sums of the samples, of the same shapes.

    Returns:
        None for fewer than two fields with regions, or when samples agree on a sum (no spread to widen).

    Source: Vovk, Gammerman & Shafer, Algorithmic Learning in a Random World, 2005; Lei et al., JASA 2018.
    """
    if len(errors) < 2 or any((variance <= 0).any() for variance in variances):
        return None
    scores = [np.abs(error) / np.sqrt(variance) for error, variance in zip(errors, variances, strict=True)]
    everything = _half_widths(np.concatenate(scores))
    inside: dict[float, list[npt.NDArray[np.bool_]]] = {level: [] for level in LEVELS}
    for number, own in enumerate(scores):
        others = _half_widths(np.concatenate([s for i, s in enumerate(scores) if i != number]))
        for level, half in others.items():
            inside[level].append(own <= half)
    left_out = tuple(
        Coverage(level, float(np.concatenate(found).mean()))
        for level, found in inside.items()
        if len(found) == len(scores)
    )
    holds = any(c.level == HOLDS_AT and abs(c.fraction - c.level) <= TOLERANCE for c in left_out)
    return RegionCalibration(
        half_widths=everything, left_out=left_out, regions=sum(map(len, scores)), holds=holds
    )


def _half_widths(scores: Float64Array) -> dict[float, float]:
    """By level, the conformal quantile; without the levels that so few scores do not reach."""
    ordered, count = np.sort(scores), len(scores)
    ranks = {level: math.ceil(round((count + 1) * level, 9)) for level in LEVELS}
    return {level: float(ordered[rank - 1]) for level, rank in ranks.items() if rank <= count}
