"""Plot of the calibration curve of one channel: real error against predicted error."""

from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter

from denoisplit.core.assessment.calibration_curve import CalibrationCurve
from denoisplit.core.assessment.uncertainty import ChannelUncertainty

BEFORE: Final = "#d55e00"
AFTER: Final = "#0072b2"
PLAIN: Final = "{x:g}"
"""Number format of logarithmic axes: 0.5, 10."""
LOGARITHMIC_FROM: Final = 8.0
"""Ratio of the largest to the smallest error above which the axes are logarithmic."""


def draw_reliability(axes: Axes, strip: Axes, uncertainty: ChannelUncertainty) -> None:
    """Draw RMSE against RMV before and after calibration, the perfect line, and the density of pixels.

    Args:
        axes: empty axes for the curve.
        strip: empty axes below, sharing x, for the density of pixels.
        uncertainty: reliability of the channel, in counts.
    """
    curves = [("as predicted", BEFORE, "o", uncertainty.before)]
    if uncertainty.after is not None:
        curves.append(("calibrated", AFTER, "s", uncertainty.after))
    values = np.concatenate(
        [np.concatenate([c.curve.rmv[c.curve.filled], c.curve.rmse[c.curve.filled]]) for *_, c in curves]
    )
    least, most = float(values.min()), float(values.max())
    logarithmic = least > 0 and most / least > LOGARITHMIC_FROM
    limits = (least / 1.2, most * 1.2) if logarithmic else (0.0, 1.06 * most or 1.0)

    axes.plot(limits, limits, color="#222222", linewidth=1, linestyle="--", label="perfect: ENCE 0")
    for label, colour, marker, summary in curves:
        curve = summary.curve
        axes.plot(
            curve.rmv[curve.filled],
            curve.rmse[curve.filled],
            color=colour,
            marker=marker,
            markersize=3,
            linewidth=1,
            label=f"{label}: ENCE {summary.ence:.2f}",
        )
        if summary.bootstrap is not None:
            low, high = summary.bootstrap.rmse_low, summary.bootstrap.rmse_high
            axes.fill_between(curve.rmv, low, high, color=colour, alpha=0.15, linewidth=0)
    for _, colour, _, summary in curves:
        _density(strip, summary.curve, colour)
    for panel in (axes, strip):
        panel.set_xscale("log" if logarithmic else "linear")
        panel.spines[["top", "right"]].set_visible(False)
        panel.tick_params(labelsize=7, length=2)
    axes.set_yscale("log" if logarithmic else "linear")
    axes.set(xlim=limits, ylim=limits)
    axes.set_ylabel("real error, RMSE (counts)", fontsize=7.5)
    axes.legend(fontsize=6.5, frameon=False, loc="best", handlelength=1.5, borderaxespad=0.2)
    axes.tick_params(labelbottom=False)
    strip.set_yticks([])
    strip.set_ylim(bottom=0)
    strip.set_ylabel("pixels", fontsize=7)
    strip.set_xlabel("predicted error, std (counts)", fontsize=7.5)
    if logarithmic:
        for axis in (axes.yaxis, strip.xaxis):
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter(PLAIN)
            axis.set_minor_formatter(NullFormatter())


def _density(strip: Axes, curve: CalibrationCurve, colour: str) -> None:
    """Draw pixels per unit of the axis, so that bins of any width show the same distribution."""
    width = np.diff(curve.edges)
    density = np.divide(curve.count, width, out=np.zeros(len(width)), where=width > 0)
    strip.stairs(density, curve.edges, fill=True, color=colour, alpha=0.35)
