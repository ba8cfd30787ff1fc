"""Images in figures: plane, contrast, colours, scale bar."""

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

from denoisplit.core.arrays import AnyArray
from denoisplit.core.images.bases import PixelSize

COLOURS: Final = ("#ff4fd8", "#3ddc84", "#33bbff", "#ffb000", "#ff6b4a", "#b9a3ff")
"""Channel colours on black that most colour-blind readers can tell apart; they repeat after six channels."""


def middle_plane(image: AnyArray) -> npt.NDArray[np.float64]:
    """Return the image itself, or the middle plane of a stack."""
    plane = image if image.ndim == 2 else image[image.shape[0] // 2]
    return plane.astype(np.float64)


def window(image: AnyArray) -> Normalize:
    """Contrast window that clips the few darkest and brightest pixels."""
    low, high = np.percentile(image, (0.5, 99.8))
    return Normalize(float(low), float(max(high, np.nextafter(low, np.inf))), clip=True)


def tinted(colour: str) -> Colormap:
    """Colour map from black over a channel colour to white, so that bright detail stays visible."""
    return LinearSegmentedColormap.from_list("channel", [(0.0, "black"), (0.75, colour), (1.0, "white")])


def scale_bar(panel: Axes, width: int, pixel_size: PixelSize) -> None:
    """Draw a scale bar of a round length, about a fifth of the image; none if the pixel size is unknown."""
    step = pixel_size.size[-1]
    if step is None:
        return
    length = round_length(width * step / 5)
    pixels = length / step
    left, across = 0.95 * width - pixels, panel.get_xaxis_transform()
    panel.plot([left, left + pixels], [0.05, 0.05], "w-", lw=3, solid_capstyle="butt", transform=across)
    label = f"{length:g} {pixel_size.unit}"
    panel.text(left + pixels / 2, 0.08, label, color="w", ha="center", fontsize=8, transform=across)


def round_length(aim: float) -> float:
    """The largest of 1, 2, 5, 10, ... (and 0.5, 0.2, ...) that is at most ``aim``."""
    decade = 10.0 ** math.floor(math.log10(aim))
    return max(digit * decade for digit in (1, 2, 5) if digit * decade <= aim)


def bare(panel: Axes) -> None:
    """Remove ticks and frame."""
    panel.set(xticks=[], yticks=[])
    for side in panel.spines.values():
        side.set_visible(False)


def colour_bar(figure: Figure, panel: Axes, image: Any, label: str) -> None:
    """Draw a colour bar beside a panel; as an inset, it takes no room from the image."""
    bar = panel.inset_axes((1.03, 0.0, 0.045, 1.0))
    figure.colorbar(image, cax=bar)
    bar.tick_params(labelsize=7, length=2)
    bar.set_ylabel(label, fontsize=7.5)
