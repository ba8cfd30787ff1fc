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
_LONGEST: Final = 4
"""Longest of the sides of a drawn image, in shorter ones; longer ones are squeezed."""

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
    without_unit: Sequence[str] = (),
) -> ShownFigure:
    """Draw the images of a prediction, each with its own contrast.

    Of series, the first image is drawn, and of stacks the middle plane. An image that the channels share,
    such as chi-square, is drawn in the first row.

    Args:
        images: images by name, with one channel per structure or one for all.
        axes: their axes, one letter each, ``c``, ``y`` and ``x`` among them.
        channel_names: one name per channel.
        pixel_size: pixel size along (z) y x; adds a scale bar.
        without_unit: names of images that are not in counts.
    """
    planes = {name: _planes(image, axes) for name, image in images.items()}
    sides = next(iter(images.values())).shape
    height, width = (sides[axes.index(axis)] for axis in "yx")
    rows = len(channel_names) if max(len(shown) for shown in planes.values()) > 1 else 1
    tall = min(max(height / width, 1 / _LONGEST), _LONGEST)
    figure = ShownFigure(
        figsize=(_PANEL_INCHES * (1.3 * len(planes) + 0.3), rows * (_PANEL_INCHES * tall + 0.4)),
        layout="constrained",
    )
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, len(planes), squeeze=False)
    for column, (name, shown) in enumerate(planes.items()):
        for row, panel in enumerate(grid[:, column]):
            bare(panel)
            if row >= len(shown):
                continue
            plain = len(shown) < len(channel_names) or name.endswith("std")
            drawn = panel.imshow(
                shown[row],
                cmap="magma" if plain else tinted(COLOURS[row % len(COLOURS)]),
                norm=window(shown[row]),
                extent=(0, width, height, 0),
                aspect="equal" if tall == height / width else "auto",
                interpolation="nearest",  # smoothed pixels are no data, and make large files
            )
            colour_bar(figure, panel, drawn, "" if name in without_unit else "counts")
            panel.set_title(name if row == 0 else "", fontsize=9)
    for panel, channel in zip(grid[:, 0], channel_names if rows > 1 else ("",), strict=True):
        panel.set_ylabel(channel, fontsize=10, fontweight="bold")
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
