"""SSIM and MS-SSIM of planes, from local moments in a separable Gaussian window of 11 pixels.

Values are those of torchmetrics, whose full two-dimensional window is many times slower.
"""

import math
from typing import Final

import numpy as np
from scipy.ndimage import gaussian_filter

from denoisplit.core.arrays import Float64Array

BORDER: Final = 5
"""Half the window, pixels: closer to the edge, a map depends on how the image is continued beyond it."""

SCALE_WEIGHTS: Final = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_SIGMA = 1.5
_INNER = (slice(BORDER, -BORDER),) * 2


def ssim_of_plane(truth: Float64Array, prediction: Float64Array, data_range: float) -> float:
    """SSIM of planes [y x] with sides of at least 11 px, without the border.

    Source: Wang et al., IEEE TIP 2004.
    """
    luminance, contrast = _maps(truth, prediction, data_range)
    return float((luminance * contrast)[_INNER].mean())


def ms_ssim_of_plane(truth: Float64Array, prediction: Float64Array, data_range: float) -> float:
    """Five-scale MS-SSIM of planes [y x] with sides of at least 176 px; a negative term makes it 0.

    At the first four scales, the border is left out; at the last one, the whole image counts, mirrored at its
    edges.

    Source: Wang et al., Asilomar 2003; method section 8.1.
    """
    score = 1.0
    for weight in SCALE_WEIGHTS[:-1]:
        _, contrast = _maps(truth, prediction, data_range)
        score *= math.pow(max(float(contrast[_INNER].mean()), 0.0), weight)
        truth, prediction = _halved(truth), _halved(prediction)
    luminance, contrast = _maps(truth, prediction, data_range)
    return score * math.pow(max(float((luminance * contrast).mean()), 0.0), SCALE_WEIGHTS[-1])


def _maps(
    truth: Float64Array, prediction: Float64Array, data_range: float
) -> tuple[Float64Array, Float64Array]:
    """Luminance term and contrast-structure term at every pixel."""
    first, second = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    mean, other = _local(truth), _local(prediction)
    squares, product = mean**2 + other**2, mean * other
    # Rounding can make the variances of flat places negative. Only their sum is needed.
    variances = np.maximum(_local(truth**2 + prediction**2) - squares, 0)
    covariance = _local(truth * prediction) - product
    return (2 * product + first) / (squares + first), (2 * covariance + second) / (variances + second)


def _local(image: Float64Array) -> Float64Array:
    filtered: Float64Array = gaussian_filter(image, _SIGMA, mode="mirror", radius=BORDER)
    return filtered


def _halved(image: Float64Array) -> Float64Array:
    """Halve an image by means of 2 x 2 pixels; an odd last row or column is left out."""
    rows, columns = (side // 2 * 2 for side in image.shape)
    even = image[:rows, :columns]
    mean: Float64Array = (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4
    return mean
