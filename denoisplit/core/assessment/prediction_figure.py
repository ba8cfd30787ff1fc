"""Figure of a prediction: a row per channel, a column per image."""

import io
from collections.abc import Mapping, Sequence
from typing import Final, final

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from denoisplit.core.arrays import AnyArray
from denoisplit.core.assessment.panels import COLOURS, bare, colour_bar, scale_bar, tinted, window
from denoisplit.core.images.bases import PixelSize

_PANEL_INCHES: Final = 2.7
_DPI: Final = 80
_SIDE: Final = 512
"""Largest side of a drawn image, pixels; larger ones are thinned out."""


@final
class ShownFigure(Figure):
    """A figure that a notebook shows, whether or not pyplot was imported."""

    def _repr_png_(self) -> bytes:
        """The figure as PNG, for notebooks."""
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=_DPI, facecolor="white")
        return buffer.getvalue()


def prediction_figure(
    images: Mapping[str, AnyArray],
    axes: str,
    *,
    channel_names: Sequence[str],
    pixel_size: PixelSize | None = None,
) -> ShownFigure:
    """Draw the images of a prediction.

    Of series, the first image is drawn, and of stacks the middle plane. All images of stds share a contrast
    per channel.

    Args:
        images: images by name, counts, each with one channel per structure.
        axes: their axes, one letter each, ``c``, ``y`` and ``x`` among them.
        channel_names: one name per channel.
        pixel_size: pixel size along (z) y x; adds a scale bar.
    """
    planes = {name: _planes(image, axes) for name, image in images.items()}
    spreads = [name for name in planes if name.endswith("std")]
    height, width = next(iter(planes.values())).shape[1:]
    figure = ShownFigure(
        figsize=(
            1.25 * _PANEL_INCHES * len(planes),
            len(channel_names) * (_PANEL_INCHES * height / width + 0.3),
        ),
        layout="constrained",
    )
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(channel_names), len(planes), squeeze=False)
    for row, channel in enumerate(channel_names):
        spread = window(np.stack([planes[name][row] for name in spreads])) if spreads else None
        for panel, (name, shown) in zip(grid[row], planes.items(), strict=True):
            is_spread = name in spreads
            drawn = panel.imshow(
                shown[row],
                cmap="magma" if is_spread else tinted(COLOURS[row % len(COLOURS)]),
                norm=spread if is_spread else window(shown[row]),
                extent=(0, width, height, 0),
                interpolation="nearest",  # smoothed pixels are no data, and make large files
            )
            bare(panel)
            colour_bar(figure, panel, drawn, "counts")
            if row == 0:
                panel.set_title(name, fontsize=9)
        grid[row, 0].set_ylabel(channel, fontsize=10, fontweight="bold")
    if pixel_size is not None:
        scale_bar(grid[0, 0], width, pixel_size)
    return figure


def _planes(image: AnyArray, axes: str) -> AnyArray:
    """The plane of every channel that is shown [c y x], thinned out."""
    height, width = (image.shape[axes.index(axis)] for axis in "yx")
    step = -(-max(height, width) // _SIDE)
    place = {"z": image.shape[axes.index("z")] // 2} if "z" in axes else {}
    index = tuple(
        slice(None) if axis == "c" else slice(None, None, step) if axis in "yx" else place.get(axis, 0)
        for axis in axes
    )
    kept = "".join(axis for axis in axes if axis in "cyx")
    return np.moveaxis(np.asarray(image[index]), [kept.index(axis) for axis in "cyx"], [0, 1, 2])
