"""Contact sheet: thumbnails of a spec's images, to see at a glance whether they are the right ones."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from denoisplit.core.arrays import AnyArray
from denoisplit.core.assessment.panels import bare, middle_plane, window

PANEL_INCHES: Final = 1.7
DPI: Final = 120
_WIDTH: Final = 34


@attrs.frozen(kw_only=True)
class SheetRow:
    """One row of a sheet: a field, or a channel.

    Attributes:
        title: heading, such as split and name of the field.
        images: one per column, [(z) y x] each.
    """

    title: str
    images: tuple[AnyArray, ...] = attrs.field(eq=False, repr=False)


def contact_sheet(path: Path, rows: Sequence[SheetRow], columns: Sequence[str]) -> None:
    """Write a sheet, see ``sheet``, to a PNG."""
    sheet(rows, columns).savefig(path, format="png")


def sheet_pixels(rows: Sequence[SheetRow], columns: Sequence[str]) -> npt.NDArray[np.uint8]:
    """Render a sheet, see ``sheet``, to pixels [y x 3]."""
    figure, pixels = sheet(rows, columns), io.BytesIO()
    figure.savefig(pixels, format="rgba")
    width, height = figure.canvas.get_width_height()
    return np.frombuffer(pixels.getvalue(), dtype=np.uint8).reshape(height, width, 4)[..., :3].copy()


def sheet(rows: Sequence[SheetRow], columns: Sequence[str]) -> Figure:
    """Draw a sheet; every image has its own contrast, and a stack is shown by its middle plane."""
    figure = Figure(figsize=(PANEL_INCHES * len(columns), (PANEL_INCHES + 0.3) * len(rows) + 0.4), dpi=DPI)
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(rows), len(columns), squeeze=False)
    for number, row in enumerate(rows):
        for axis, image, heading in zip(axes[number], row.images, columns, strict=True):
            plane = middle_plane(image)
            axis.imshow(plane, cmap="gray", norm=window(plane), interpolation="nearest")
            bare(axis)
            if number == 0:
                axis.set_title(heading, fontsize=8, pad=14)
        axes[number][0].text(
            0, 1.02, _short(row.title), transform=axes[number][0].transAxes, fontsize=6.5, va="bottom"
        )
    figure.subplots_adjust(
        left=0.01, right=0.99, bottom=0.01, top=1 - 0.5 / figure.get_figheight(), wspace=0.04
    )
    return figure


def _short(title: str) -> str:
    """Shorten a title to fit above the images, by leaving out its middle."""
    longest = 3 * _WIDTH
    return title if len(title) <= longest else f"{title[: longest // 2]} ... {title[-longest // 2 :]}"
