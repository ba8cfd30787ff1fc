"""Figures of the predicted uncertainty, with a panel per channel."""

from collections.abc import Sequence
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, PercentFormatter

from denoisplit.core.assessment.reliability_plot import AFTER, BEFORE, PLAIN, draw_reliability
from denoisplit.core.assessment.scores import Scores
from denoisplit.core.assessment.sum_errors import CALIBRATED, INDEPENDENT, JOINT, SumReliability
from denoisplit.core.assessment.uncertainty import Reliability

SIDE_INCHES: Final = 3.6
IDEAL: Final = "#222222"
WAYS: Final = {
    INDEPENDENT: ("pixels as if independent", BEFORE, "o"),
    JOINT: ("joint samples", "#7fc4a8", "^"),
    CALIBRATED: ("joint samples, calibrated", "#00795a", "s"),
}
"""Ways to predict the error of a sum: label, colour, marker."""


def calibration_figure(scores: Scores) -> Figure:
    """Draw real against predicted error, and the density of pixels."""
    count = len(scores.uncertainty)
    figure = _figure(count, SIDE_INCHES + 1.2)
    grid = figure.add_gridspec(2, count, height_ratios=(5, 1))
    figure.suptitle("Is the predicted error the real error? On the dashed line it is.", fontsize=10)
    for column, channel in enumerate(scores.uncertainty):
        curve = figure.add_subplot(grid[0, column])
        draw_reliability(curve, figure.add_subplot(grid[1, column], sharex=curve), channel)
        pixels = channel.before.curve.count
        least, most = int(pixels[pixels > 0].min()), int(pixels.max())
        each = f"{most:,}" if least == most else f"{least:,} to {most:,}"
        curve.set_title(
            f"{channel.channel}\n{pixels.sum():,} pixels in {int((pixels > 0).sum())} bins, {each} in each",
            fontsize=8.5,
        )
    return figure


def coverage_figure(scores: Scores) -> Figure:
    """Draw the coverage of the predicted intervals against their probability."""
    figure = _figure(len(scores.uncertainty), SIDE_INCHES + 0.6)
    figure.suptitle(
        "How often is the truth within the interval? On the dashed line, as promised.", fontsize=10
    )
    for panel, channel in zip(_panels(figure, len(scores.uncertainty)), scores.uncertainty, strict=True):
        panel.plot([0, 1], [0, 1], color=IDEAL, linewidth=1, linestyle="--")
        _coverage(panel, channel.before, "as predicted", BEFORE, "o")
        if channel.after is not None:
            _coverage(panel, channel.after, "calibrated", AFTER, "s")
        if channel.intervals:
            levels, fractions = zip(*((c.level, c.fraction) for c in channel.intervals), strict=True)
            panel.plot(levels, fractions, color=AFTER, marker="s", markersize=4, label="calibrated intervals")
        panel.set(xlim=(0.4, 1.0), ylim=(0, 1.02))
        panel.set_xlabel("probability of the interval", fontsize=8)
        panel.set_ylabel("pixels whose truth is within it", fontsize=8)
        panel.set_title(channel.channel, fontsize=9)
        for axis in (panel.xaxis, panel.yaxis):
            axis.set_major_formatter(PercentFormatter(1.0))
        panel.legend(fontsize=7.5, frameon=False, loc="lower right")
    return figure


def region_figure(scores: Scores) -> Figure:
    """Draw real over predicted error of sums over regions, against the size of the regions."""
    names = list(dict.fromkeys(row.channel for row in scores.regions))
    figure = _figure(len(names), SIDE_INCHES + 1.1)
    figure.suptitle(
        "Error of sums over regions: how many times as large as predicted? 1 is right.", fontsize=10
    )
    for panel, name in zip(_panels(figure, len(names)), names, strict=True):
        rows = sorted((r for r in scores.regions if r.channel == name), key=lambda row: row.pixels)
        panel.axhline(1, color=IDEAL, linewidth=1, linestyle="--")
        for how, (label, colour, marker) in WAYS.items():
            points = _ratios(rows, how)
            if points:
                x, y = zip(*points, strict=True)
                panel.plot(x, y, color=colour, marker=marker, markersize=4, linewidth=1, label=label)
        panel.set(xscale="log", yscale="log")
        panel.margins(x=0.08)
        panel.set_xlabel("pixels in a region", fontsize=8)
        panel.set_ylabel("real error / predicted error of the sum", fontsize=8)
        panel.set_title(name, fontsize=9)
        panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        for axis in (panel.xaxis, panel.yaxis):
            axis.set_major_formatter(PLAIN)
            axis.set_minor_formatter(NullFormatter())
    lines = {str(line.get_label()): line for panel in figure.axes for line in panel.lines[1:]}
    # One legend for all panels: within them, it would cover the lines.
    figure.legend(list(lines.values()), list(lines), fontsize=7.5, ncols=2, loc="outside lower center")
    return figure


def _figure(panels: int, height: float) -> Figure:
    figure = Figure(figsize=(max(panels * (SIDE_INCHES + 0.5), 5.6), height), facecolor="white")
    figure.set_layout_engine("constrained", w_pad=0.08, h_pad=0.06)
    return figure


def _panels(figure: Figure, count: int) -> list[Axes]:
    panels = [figure.add_subplot(1, count, column + 1) for column in range(count)]
    for panel in panels:
        panel.spines[["top", "right"]].set_visible(False)
        panel.tick_params(labelsize=7.5, length=2)
    return panels


def _coverage(panel: Axes, summary: Reliability, label: str, colour: str, marker: str) -> None:
    levels = [c.level for c in summary.coverage]
    panel.plot(
        levels, [c.fraction for c in summary.coverage], color=colour, marker=marker, markersize=4, label=label
    )
    if summary.bootstrap is not None:
        ends = [summary.bootstrap.intervals[f"coverage_{level:g}"] for level in levels]
        panel.vlines(levels, [e.low for e in ends], [e.high for e in ends], color=colour, linewidth=1)


def _ratios(rows: Sequence[SumReliability], how: str) -> list[tuple[float, float]]:
    """Pixels in a region, and ratio of the real to the predicted error of its sums."""
    found = ((row, getattr(row, how)) for row in rows)
    return [
        (row.pixels, row.rmse / answer.rmv)
        for row, answer in found
        if answer is not None and answer.regions == row.count and answer.rmv > 0 and row.rmse > 0
    ]
