"""Summary figure of an experiment: input, prediction, truth and uncertainty."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import attrs
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap
from matplotlib.figure import Figure

from denoisplit.core.arrays import AnyArray
from denoisplit.core.assessment.image_scores import range_invariant_psnr
from denoisplit.core.assessment.panels import (
    COLOURS,
    bare,
    colour_bar,
    middle_plane,
    scale_bar,
    tinted,
    window,
)
from denoisplit.core.assessment.reliability_plot import draw_reliability
from denoisplit.core.assessment.score import BLURRED, SPLIT
from denoisplit.core.assessment.scores import Scores
from denoisplit.core.errors import ChannelCountError
from denoisplit.core.images.bases import PixelSize
from denoisplit.core.staging import staged

PANEL_INCHES: Final = 2.5
DPI: Final = 200
"""One pixel of a 512 px image is about one pixel of the figure."""
HEADINGS: Final = (
    "noisy mixed image (input)",
    "prediction (posterior mean)",
    "truth (same contrast as prediction)",
)
"""Headings of the images; that of the uncertainty depends on the std."""


def demo_figure(
    path: Path,
    *,
    mixed: AnyArray,
    predictions: AnyArray,
    truth: AnyArray,
    std: AnyArray | None,
    calibrated_std: AnyArray | None = None,
    channel_names: Sequence[str],
    scores: Scores | None = None,
    title: str = "",
    pixel_size: PixelSize | None = None,
) -> None:
    """Write one PNG: a row per channel with input, prediction, truth, uncertainty and calibration curve.

    Prediction and truth of a channel share one contrast window. A stack is shown by its middle plane.

    Args:
        path: path of the PNG.
        mixed: noisy mixed image [1 (z) y x], counts.
        predictions: posterior mean [c (z) y x], counts.
        truth: clean channels [c (z) y x], counts.
        std: posterior std [c (z) y x], counts; None for a prediction without std, whose panel is black.
        calibrated_std: calibrated std, shown in its place; None without a calibration.
        channel_names: one name per channel.
        scores: scores on the whole test set; add the calibration curves and the line below the images.
        title: heading.
        pixel_size: pixel size along (z) y x; adds a scale bar.

    Raises:
        ChannelCountError: an array has another number of channels than there are names.
        ImageError: the shown plane of the truth is constant.
    """
    spread, shown_std = _Spread.of(std, calibrated_std), calibrated_std if calibrated_std is not None else std
    uncertain = np.zeros_like(predictions) if shown_std is None else shown_std
    for name, array in (("predictions", predictions), ("truth", truth), ("std", uncertain)):
        if len(array) != len(channel_names):
            raise ChannelCountError(
                f"figure: {name} has {len(array)} channels, but {len(channel_names)} are named. "
                "Give one name per channel."
            )
    uncertainty = scores.uncertainty if scores is not None else ()
    rows, columns = len(channel_names), len(HEADINGS) + 1 + (1 if uncertainty else 0)
    shown = middle_plane(mixed[0])
    height = PANEL_INCHES * shown.shape[0] / shown.shape[1] + 0.55
    figure = Figure(figsize=(1.17 * PANEL_INCHES * columns, rows * height + 0.9), dpi=DPI)
    figure.set_layout_engine("constrained", w_pad=0.06, h_pad=0.07)
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(rows, columns)
    if title:
        figure.suptitle(title, fontsize=13, fontweight="bold")
    for row, name in enumerate(channel_names):
        panels = [figure.add_subplot(grid[row, column]) for column in range(len(HEADINGS) + 1)]
        answer, clean = middle_plane(predictions[row]), middle_plane(truth[row])
        colour = COLOURS[row % len(COLOURS)]
        _images(figure, panels, (shown, answer, clean, middle_plane(uncertain[row])), tinted(colour), spread)
        panels[0].set_ylabel(name, fontsize=11, fontweight="bold")
        ratings = (
            f"as the answer: RI-PSNR {range_invariant_psnr(clean, shown):.1f} dB",
            f"RI-PSNR {range_invariant_psnr(clean, answer):.1f} dB",
            "",
            "",
        )
        for panel, heading, rating in zip(panels, (*HEADINGS, spread.heading), ratings, strict=True):
            panel.set_title(f"{heading}\n{rating}" if row == 0 else rating, fontsize=8.5)
        if pixel_size is not None:
            scale_bar(panels[0], shown.shape[1], pixel_size)
        if uncertainty:
            cell = grid[row, len(HEADINGS) + 1].subgridspec(2, 1, height_ratios=(5, 1))
            curve = figure.add_subplot(cell[0])
            draw_reliability(curve, figure.add_subplot(cell[1], sharex=curve), uncertainty[row])
            if row == 0:
                curve.set_title("is the uncertainty right?\nreal against predicted error", fontsize=8.5)
    figure.supxlabel(_caption(scores, spread), fontsize=8.5, color="#444444")
    with staged(path) as temporary:
        figure.savefig(temporary, dpi=DPI, facecolor="white", format="png")


@attrs.frozen
class _Spread:
    """Words about the shown std: heading, label of its colour bar, and meaning."""

    heading: str
    label: str
    meaning: str

    @classmethod
    def of(cls, std: AnyArray | None, calibrated: AnyArray | None) -> "_Spread":
        if calibrated is not None:
            meaning = "calibrated std: how large the real error is expected to be, in camera counts."
            return cls("expected error (calibrated std)", "calibrated std (counts)", meaning)
        if std is not None:
            meaning = "std: how far the samples of the model spread, in camera counts; not calibrated."
            return cls("spread of the samples (std)", "std (counts)", meaning)
        return cls("no std (a single sample)", "std (counts)", "A single sample has no std.")


def _images(
    figure: Figure, panels: Sequence[Axes], images: Sequence[AnyArray], colours: Colormap, words: _Spread
) -> None:
    mixed, answer, clean, spread = images
    contrast = window(clean)
    panels[0].imshow(mixed, cmap="gray", norm=window(mixed))
    panels[1].imshow(answer, cmap=colours, norm=contrast)
    panels[2].imshow(clean, cmap=colours, norm=contrast)
    certainty = panels[3].imshow(spread, cmap="magma", norm=window(spread))
    for panel in panels:
        bare(panel)
    colour_bar(figure, panels[3], certainty, words.label)


def _caption(scores: Scores | None, spread: _Spread) -> str:
    """Caption: what the numbers mean, and the result on the whole test set for each channel."""
    explained = (
        "RI-PSNR: how close to the truth after the best choice of brightness and contrast; higher is better. "
        f"{spread.meaning}"
    )
    if scores is None or "range_invariant_psnr" not in {metric.name for metric in scores.metrics}:
        return explained
    lines = []
    for channel in scores.channels:
        ours, blurred = (scores.of(channel, "range_invariant_psnr", method) for method in (SPLIT, BLURRED))
        if ours.mean is not None and blurred.mean is not None:
            images = "1 image" if ours.fields == 1 else f"{ours.fields} images"
            lines.append(
                f"{channel}: {ours.mean:.1f} dB (blurred input: {blurred.mean:.1f} dB), mean of {images}"
            )
    return "\n".join([explained, "   ".join(lines)])
