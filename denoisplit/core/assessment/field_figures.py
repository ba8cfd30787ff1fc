"""Figures of one field: its samples, its uncertainty, and whether the errors follow the uncertainty."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

from denoisplit.core.arrays import AnyArray
from denoisplit.core.assessment.coverage import half_width
from denoisplit.core.assessment.panels import COLOURS, bare, colour_bar, middle_plane, tinted, window
from denoisplit.core.assessment.scores import EvaluatedField
from denoisplit.core.errors import CalibrationError

IntervalOf = Callable[[AnyArray, AnyArray, float], tuple[AnyArray, AnyArray]]
"""Function from mean and std as predicted [c (z) y x], and a level, to the calibrated interval, counts.

Raises:
    CalibrationError: the calibration does not know this level.
"""

PANEL_INCHES: Final = 2.3
INTERVAL: Final = 0.9
BINS: Final = 60
SHOWN: Final = 0.995
"""Share of the pixels that each axis of the error plot covers."""


def sample_gallery(field: EvaluatedField, samples: AnyArray, channel_names: Sequence[str]) -> Figure:
    """Draw posterior samples, their mean and the truth, a row per channel, in the contrast of the truth.

    Args:
        field: the predicted field.
        samples: its posterior samples [s c (z) y x], counts.
        channel_names: one name per channel.
    """
    headings = ["mean", *(f"sample {number + 1}" for number in range(len(samples))), "truth"]
    figure, panels = _rows(
        f"{field.name}: images that the model holds possible", field, len(channel_names), headings
    )
    for row, name in enumerate(channel_names):
        truth = middle_plane(field.truth[row])
        images = [middle_plane(field.mean[row]), *(middle_plane(sample[row]) for sample in samples), truth]
        colours, contrast = tinted(COLOURS[row % len(COLOURS)]), window(truth)
        for panel, image in zip(panels[row], images, strict=True):
            panel.imshow(image, cmap=colours, norm=contrast)
        panels[row][0].set_ylabel(name, fontsize=9, fontweight="bold")
    return figure


def uncertainty_maps(
    field: EvaluatedField, channel_names: Sequence[str], interval_of: IntervalOf | None = None
) -> Figure | None:
    """Draw mean, 90 % interval, std and real error, a row per channel; None without a std.

    Mean and interval share a contrast, and so do std and error. The calibrated std is shown if there is one.

    Args:
        field: the field to show.
        channel_names: one name per channel.
        interval_of: the calibrated interval; None for that of a Gaussian with this std. If it does not know
            the level, the interval is left out.
    """
    std, kind = _spread(field)
    if std is None:
        return None
    ends = _interval(field, INTERVAL, interval_of)
    intervals = [f"{INTERVAL:.0%} interval, {end}" for end in ("low", "high")]
    headings = ["mean", *(intervals if ends else ()), kind, "real error"]
    figure, panels = _rows(f"{field.name}: how far to trust it", field, len(channel_names), headings)
    for row, name in enumerate(channel_names):
        mean, spread, truth = (middle_plane(image[row]) for image in (field.mean, std, field.truth))
        intensities = [mean, *(middle_plane(end[row]) for end in ends or ())]
        error = np.abs(mean - truth)
        colours, contrast = tinted(COLOURS[row % len(COLOURS)]), window(np.stack(intensities))
        for panel, image in zip(panels[row], intensities, strict=False):
            shown = panel.imshow(image, cmap=colours, norm=contrast)
        colour_bar(figure, panels[row][-3], shown, "counts")
        top = max(float(window(error).vmax or 0), float(window(spread).vmax or 0)) or 1.0
        for panel, image in zip(panels[row][-2:], (spread, error), strict=True):
            shown = panel.imshow(image, cmap="magma", norm=Normalize(0, top, clip=True))
        colour_bar(figure, panels[row][-1], shown, "counts")
        panels[row][0].set_ylabel(name, fontsize=9, fontweight="bold")
    return figure


def error_figure(
    fields: Sequence[EvaluatedField], channel_names: Sequence[str], interval_of: IntervalOf | None = None
) -> Figure | None:
    """Draw the absolute error of pixels against their predicted std, a panel per channel; None without a std.

    The lines are half-widths of the intervals, calibrated if there is a calibration; see ``uncertainty_maps``
    for ``interval_of``. A calibrated std may have few values, so it does not serve as an axis.
    """
    stds = [field.std for field in fields if field.std is not None]
    if not stds:
        return None
    halves = {level: _half_widths(fields, level, interval_of) for level in (0.5, INTERVAL)}
    kind = "" if interval_of is None and fields[0].calibrated_std is None else "calibrated: "
    count = len(channel_names)
    figure = Figure(figsize=(max(4.4 * count, 5.6), 4.3), facecolor="white")
    figure.set_layout_engine("constrained", w_pad=0.08, h_pad=0.06)
    figure.suptitle("Are the errors large where the std is large?", fontsize=10)
    for channel, name in enumerate(channel_names):
        panel = figure.add_subplot(1, count, channel + 1)
        spread = np.concatenate([std[channel].ravel() for std in stds]).astype(np.float64)
        error = np.concatenate([np.abs(f.mean[channel] - f.truth[channel]).ravel() for f in fields])
        low, high = (float(end) for end in np.quantile(spread, (1 - SHOWN, SHOWN)))
        if high <= low:  # a std that is the same everywhere still needs an axis
            low, high = 0.5 * low, 1.5 * high or 1.0
        top = max(float(np.quantile(error, SHOWN)), 1e-3 * high)
        density, x, y = np.histogram2d(spread, error, bins=BINS, range=((low, high), (0, top)))
        filled = np.where(density > 0, density, np.nan).T
        shown = panel.pcolormesh(x, y, filled, cmap="viridis", norm=LogNorm(0.9, max(density.max(), 1)))
        for (level, half), style in zip(halves.items(), (":", "-"), strict=True):
            if half is not None:
                line = _line(spread, half[channel], x)
                label = f"{kind}{level:.0%} of the pixels should be below"
                panel.plot(*line, color="#d55e00", linestyle=style, linewidth=1.2, label=label)
        panel.set(xlim=(low, high), ylim=(0, top))
        panel.set_xlabel("predicted std (counts)", fontsize=8)
        panel.set_ylabel("absolute error of the mean (counts)", fontsize=8)
        panel.set_title(name, fontsize=9)
        panel.tick_params(labelsize=7.5, length=2)
        if panel.lines:
            panel.legend(fontsize=7, loc="upper left", framealpha=0.9)
        colour_bar(figure, panel, shown, "pixels")
    return figure


def _spread(field: EvaluatedField) -> tuple[AnyArray | None, str]:
    if field.calibrated_std is not None:
        return field.calibrated_std, "calibrated std"
    return field.std, "predicted std"


def _interval(
    field: EvaluatedField, level: float, interval_of: IntervalOf | None
) -> tuple[AnyArray, AnyArray] | None:
    """Both ends [c (z) y x]; None without a std, or if the calibration does not know the level."""
    std, _ = _spread(field)
    if std is None or field.std is None:
        return None
    if interval_of is None:
        return field.mean - half_width(level) * std, field.mean + half_width(level) * std
    try:
        return interval_of(field.mean, field.std, level)
    except CalibrationError:
        return None


def _half_widths(
    fields: Sequence[EvaluatedField], level: float, interval_of: IntervalOf | None
) -> AnyArray | None:
    """Half-width of the interval of every pixel [c pixels]; None if that of a field is not known."""
    halves = []
    for field in fields:
        ends = _interval(field, level, interval_of)
        if ends is None:
            return None
        halves.append((ends[1].astype(np.float64) - ends[0]).reshape(len(field.mean), -1) / 2)
    return np.concatenate(halves, axis=1)


def _line(spread: AnyArray, half: AnyArray, edges: AnyArray) -> tuple[AnyArray, AnyArray]:
    """Mean std and half-width of the pixels between edges; a single point becomes a line across."""
    place = np.searchsorted(edges, spread, side="right") - 1
    inside = (spread >= edges[0]) & (spread <= edges[-1])
    place = np.minimum(place[inside], len(edges) - 2)
    count = np.bincount(place)
    filled = count > 0
    x, y = (np.bincount(place, values[inside])[filled] / count[filled] for values in (spread, half))
    return (edges[[0, -1]], np.repeat(y, 2)) if len(x) == 1 else (x, y)


def _rows(
    title: str, field: EvaluatedField, rows: int, headings: Sequence[str]
) -> tuple[Figure, list[list[Any]]]:
    """Lay out a figure with a row of bare panels per channel."""
    height = PANEL_INCHES * field.mixed.shape[-2] / field.mixed.shape[-1]
    size = (1.12 * PANEL_INCHES * len(headings) + 0.4, rows * (height + 0.12) + 0.7)
    figure = Figure(figsize=size, facecolor="white")
    figure.set_layout_engine("constrained", w_pad=0.05, h_pad=0.04)
    figure.suptitle(title, fontsize=10)
    grid = figure.add_gridspec(rows, len(headings))
    panels = [
        [figure.add_subplot(grid[row, column]) for column in range(len(headings))] for row in range(rows)
    ]
    for line in panels:
        for panel in line:
            bare(panel)
    for panel, heading in zip(panels[0], headings, strict=True):
        panel.set_title(heading, fontsize=8.5)
    return figure, panels
