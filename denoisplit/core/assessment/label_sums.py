"""Sums of a predicted image over the regions of a label image, as a table."""

import csv
import io
import math
from collections import Counter
from collections.abc import Sequence
from typing import Final

import attrs
import numpy as np

from denoisplit.core.arrays import AnyArray
from denoisplit.core.assessment.lazy_labels import fit, lazy_divisions
from denoisplit.core.assessment.region_intervals import RegionIntervals
from denoisplit.core.assessment.regions import Regions, RegionSums, label_regions
from denoisplit.core.errors import ImageError
from denoisplit.core.images.streamed import is_lazy
from denoisplit.core.network.interfaces import SumInterval

LEVEL: Final = 0.9
"""Of the intervals in the table."""

COLUMNS: Final = (
    "label", "channel", "pixels", "sum", "std", "calibrated_std", "low_90", "high_90", "holds", "note",
)  # fmt: skip
"""After one column for every axis that is walked along, such as t."""

UNCALIBRATED: Final = SumInterval(note="The run has no calibration of sums.")
SINGLE_SAMPLE: Final = "A single sample has no spread."
SEVERAL_PLANES: Final = "Not checked: the region has several planes, and only blocks within planes were."


@attrs.frozen(kw_only=True)
class LabelSum:
    """A channel summed over one region, counts.

    Attributes:
        position: along the axes that are walked along.
        label: of the region.
        channel: its name.
        pixels: in the region.
        sum: mean of the sums of the samples.
        std: of the sums of the samples; None for a single one.
        calibrated_std: how large the error of the sum is expected to be; None where this is not known.
        low, high: ends of the interval that holds the true sum with a probability of 90 %; None likewise.
        holds: whether the calibration was checked at this size.
        note: why not, a sentence; empty where it holds.
    """

    position: tuple[int, ...]
    label: int
    channel: str
    pixels: int
    sum: float
    std: float | None
    calibrated_std: float | None
    low: float | None
    high: float | None
    holds: bool
    note: str


@attrs.frozen
class LabelSums:
    """All regions of a label image with all channels.

    Attributes:
        axes: that are walked along, for example ``t``; the others are summed over.
        rows: one per position, label and channel.
    """

    axes: str
    rows: tuple[LabelSum, ...]

    @property
    def summary(self) -> str:
        """How many of the intervals hold, and what is wrong with the others, in one line."""
        notes = Counter(row.note for row in self.rows if row.note)
        held = f"{len(self.rows)} sums, {sum(row.holds for row in self.rows)} with an interval that holds."
        return " ".join([held, *(f"{count}: {note}" for note, count in notes.items())])

    def to_csv(self) -> str:
        """Comma-separated values with a heading; cells of what is not known are empty."""
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow([*self.axes, *COLUMNS])
        for row in self.rows:
            numbers = (row.sum, row.std, row.calibrated_std, row.low, row.high)
            shown = ["" if number is None else f"{number:.7g}" for number in numbers]
            holds = "yes" if row.holds else "no"
            table.writerow([*row.position, row.label, row.channel, row.pixels, *shown, holds, row.note])
        return text.getvalue()


def is_table(beginning: bytes) -> bool:
    """Whether a file begins as ``LabelSums.to_csv`` does."""
    return beginning.partition(b"\n")[0].endswith(",".join(COLUMNS).encode())


def label_divisions(
    labels: AnyArray, positions: tuple[int, ...], plane: tuple[int, ...], where: str
) -> tuple[Regions | None, ...]:
    """The regions at every position; None where there are none.

    Args:
        labels: label image of the shape of the image (axes of length 1 apart), or of one plane or stack of
            it, whose regions then serve for all.
        positions: number of them along every axis that is walked along.
        plane: shape of what the network takes at once [(z) y x].
        where: what messages are about.

    Raises:
        ImageError: another shape than the image, values that are no labels, or no region at all.
    """
    if is_lazy(labels):
        return lazy_divisions(labels, positions, plane, where)
    count = math.prod(positions)
    if fit(labels.shape, positions, plane, where):
        parts = labels.reshape(count, *plane)
    else:
        parts = np.broadcast_to(labels.reshape(plane), (count, *plane))
    if label_regions(parts, parts.shape, where) is None:
        raise ImageError(f"{where}: there is no region (got only 0). Give another label image.")
    return tuple(label_regions(part, plane, where) for part in parts)


def sums_at(
    position: tuple[int, ...],
    regions: Regions,
    sums: RegionSums,
    channels: Sequence[str],
    intervals: RegionIntervals | None,
) -> tuple[LabelSum, ...]:
    """The rows of one position.

    Args:
        position: along the axes that are walked along.
        regions: of the label image there.
        sums: over these alone, with all samples in.
        channels: their names.
        intervals: calibration of sums; None without.
    """
    (samples,) = sums.sums()
    mean = samples.mean(axis=0)
    std = samples.std(axis=0, ddof=1) if len(samples) > 1 else None
    pixels, several = regions.pixels, _planes(regions) > 1
    return tuple(
        _row(
            (position, label, name, int(pixels[index])),
            float(mean[channel, index]),
            None if std is None else float(std[channel, index]),
            channel,
            intervals,
            several=bool(several[index]),
        )
        for index, label in enumerate(regions.labels)
        for channel, name in enumerate(channels)
    )


def _row(
    what: tuple[tuple[int, ...], int, str, int],
    mean: float,
    std: float | None,
    channel: int,
    intervals: RegionIntervals | None,
    *,
    several: bool,
) -> LabelSum:
    position, label, name, pixels = what
    found = UNCALIBRATED if intervals is None else intervals.at(pixels, channel=channel, level=LEVEL)
    if several and intervals is not None:
        found = attrs.evolve(found, holds=False, note=SEVERAL_PLANES)
    if std is None:
        found = SumInterval(note=SINGLE_SAMPLE)
    half = None if std is None or found.half_width is None else found.half_width * std
    return LabelSum(
        position=position,
        label=label,
        channel=name,
        pixels=pixels,
        sum=mean,
        std=std,
        calibrated_std=None if std is None or found.std is None else found.std * std,
        low=None if half is None else mean - half,
        high=None if half is None else mean + half,
        holds=found.holds,
        note=found.note,
    )


def _planes(regions: Regions) -> AnyArray:
    """Number of planes that every region is in."""
    if regions.index.ndim == 2:
        return np.ones(regions.count, np.int64)
    stack = (np.asarray(regions.index[z]) for z in range(len(regions.index)))
    there = [np.bincount(plane[plane >= 0].ravel(), minlength=regions.count) > 0 for plane in stack]
    planes: AnyArray = np.sum(there, axis=0)
    return planes
