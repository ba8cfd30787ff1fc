"""Table of the sums of a predicted image over the regions of a label image."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from typing import Final

import attrs

from denoisplit.core.arrays import Float64Array
from denoisplit.core.network.calibrating import ENOUGH, too_few
from denoisplit.core.network.interfaces import SumInterval
from denoisplit.core.sums.divisions import Division
from denoisplit.core.sums.sum_intervals import SumIntervals

LEVEL: Final = 0.9
"""Probability of the intervals in the table."""

COLUMNS: Final = (
    "label", "channel", "pixels", "sum", "std", "calibrated_std", "low_90", "high_90", "holds", "note",
)  # fmt: skip
"""Columns that follow one column per leading axis, such as t."""

UNCALIBRATED: Final = SumInterval(note="The run has no calibration of sums.")
SINGLE_SAMPLE: Final = SumInterval(note="A single sample has no spread.")
FEW_SAMPLES: Final = f"The samples are too few for a calibration: take {ENOUGH} or more."
SEVERAL_PLANES: Final = "Not checked: the region has several planes, and only blocks within planes were."


@attrs.frozen(kw_only=True)
class LabelSum:
    """Sum of a channel over one region, counts.

    Attributes:
        position: index along the leading axes.
        label: label of the region.
        channel: name of the channel.
        pixels: number of pixels in the region.
        sum: mean of the sums of the samples.
        std: std of the sums of the samples; None for a single sample.
        calibrated_std: expected error of the sum; None if it is not known.
        low, high: ends of the interval that holds the true sum with a probability of 90 %; None likewise.
        holds: whether the calibration was checked at this size.
        note: sentence that says why not; empty if it holds.
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
    """Sums of all channels over all regions of a label image.

    Attributes:
        axes: leading axes, for example ``t``; the sums run over the others.
        rows: one per position, label and channel.
    """

    axes: str
    rows: tuple[LabelSum, ...]

    @property
    def summary(self) -> str:
        """One line: how many intervals hold, and what is wrong with the others."""
        if not self.rows:
            return "no sums: there is no region in the label image (got only 0)."
        notes = Counter(row.note for row in self.rows if row.note)
        held = f"{len(self.rows)} sums, {sum(row.holds for row in self.rows)} with an interval that holds."
        return " ".join([held, *(f"{count}: {note}" for note, count in notes.items())])

    def to_csv(self) -> str:
        """Format as comma-separated values with a heading; unknown values are empty cells."""
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
    """Whether the first bytes of a file are those of a table by ``LabelSums.to_csv``."""
    return beginning.partition(b"\n")[0].endswith(",".join(COLUMNS).encode())


def sums_at(
    position: tuple[int, ...],
    division: Division,
    samples: Float64Array,
    channels: Sequence[str],
    intervals: SumIntervals | None,
) -> tuple[LabelSum, ...]:
    """Return the rows of one position.

    Args:
        position: index along the leading axes.
        division: regions of the label image at the position.
        samples: sums over the regions [s c regions], counts.
        channels: names of the channels.
        intervals: calibration of sums; None if the run has none.
    """
    mean = samples.mean(axis=0)
    std = samples.std(axis=0, ddof=1) if len(samples) > 1 else None
    rows = []
    sizes = zip(division.labels, division.pixels.tolist(), division.planes.tolist(), strict=True)
    for region, (label, pixels, planes) in enumerate(sizes):
        for channel, name in enumerate(channels):
            centre = float(mean[channel, region])
            spread = None if std is None else float(std[channel, region])
            known = UNCALIBRATED if intervals is None else intervals.at(pixels, channel=channel, level=LEVEL)
            if intervals is not None and known.holds and too_few(len(samples), intervals.samples):
                known = attrs.evolve(known, holds=False, note=FEW_SAMPLES)
            if planes > 1 and intervals is not None:
                known = attrs.evolve(known, holds=False, note=SEVERAL_PLANES)
            if spread is None:
                known = SINGLE_SAMPLE
            half = _times(known.half_width, spread)
            rows.append(
                LabelSum(
                    position=position,
                    label=label,
                    channel=name,
                    pixels=pixels,
                    sum=centre,
                    std=spread,
                    calibrated_std=_times(known.std, spread),
                    low=None if half is None else centre - half,
                    high=None if half is None else centre + half,
                    holds=known.holds,
                    note=known.note,
                )
            )
    return tuple(rows)


def _times(factor: float | None, std: float | None) -> float | None:
    return None if factor is None or std is None else factor * std
