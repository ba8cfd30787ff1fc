"""From points with sub-pixel positions to an image."""

import itertools

import attrs
import numpy as np
from scipy import ndimage

from denoisplit.core.arrays import Float64Array


@attrs.frozen
class Points:
    """Light sources.

    Attributes:
        positions: [n rank], pixels, (z) y x; the centre of pixel (0, 0) is 0. May lie outside the image.
        weights: [n], relative brightness.
    """

    positions: Float64Array
    weights: Float64Array


def splat(points: Points, shape: tuple[int, ...]) -> Float64Array:
    """Draw point sources, each shared linearly among the 2^rank pixels around it.

    Keeps the total brightness and the centre of mass of everything inside the image, whatever the rank.

    Args:
        points: sources.
        shape: shape of the image, (z) y x.

    Returns:
        [(z) y x], brightness per pixel.
    """
    padded = tuple(side + 2 for side in shape)
    low = np.floor(points.positions).astype(np.int64)
    fraction = points.positions - low
    image = np.zeros(int(np.prod(padded)))
    inside = np.all((low >= -1) & (low < shape), axis=1)
    low, fraction, weights = low[inside], fraction[inside], points.weights[inside]
    for corner in itertools.product((0, 1), repeat=len(shape)):
        share = np.prod(np.where(corner, fraction, 1 - fraction), axis=1)
        flat = np.ravel_multi_index(tuple((low + corner + 1).T), padded)
        image += np.bincount(flat, weights=weights * share, minlength=image.size)
    return image.reshape(padded)[(slice(1, -1),) * len(shape)]


def blur(image: Float64Array, sigma: float) -> Float64Array:
    """Blur with a Gaussian of standard deviation ``sigma`` pixels; light is lost at the borders."""
    return np.asarray(ndimage.gaussian_filter(image, sigma, mode="constant", truncate=4.0), dtype=np.float64)
