"""Two baselines without a network. A splitter is worth its training only if it beats both."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from denoisplit.core.images.mixing import Mixing

BLUR_SIGMAS: Final = (1.0, 2.0, 4.0)
"""Stds of the Gaussian, pixels; the best one counts, in favour of the baseline."""


def share_of_mixed(mixed: npt.NDArray[Any], *, channels: int, mixing: Mixing) -> npt.NDArray[np.float64]:
    """Return an equal share of the mixed image as the prediction of every channel.

    The share is what every channel would be if all were equal: the mixed image itself if mixing takes the
    mean, and ``offset + (mixed - offset) / channels`` if it takes the sum (which keeps the offset once).

    Args:
        mixed: noisy mixed image [1 (z) y x], counts.
        channels: number of target channels.
        mixing: how the mixed image was made.

    Returns:
        [c (z) y x], counts; all channels are the same image.
    """
    image = mixed.astype(np.float64)
    share = image if mixing.mode == "mean" else mixing.offset + (image - mixing.offset) / channels
    return np.repeat(share, channels, axis=0)


def blurred_mixed(
    mixed: npt.NDArray[Any], *, channels: int, mixing: Mixing, sigma: float
) -> npt.NDArray[np.float64]:
    """Return the share of the mixed image after a Gaussian blur within planes: denoised, but not split.

    Args:
        mixed: noisy mixed image [1 (z) y x], counts.
        channels: number of target channels.
        mixing: how the mixed image was made.
        sigma: std of the Gaussian along y and x, pixels.

    Returns:
        [c (z) y x], counts; all channels are the same image.
    """
    blurred = gaussian_filter(mixed.astype(np.float64), sigma, axes=(-2, -1), mode="nearest")
    return share_of_mixed(blurred, channels=channels, mixing=mixing)
