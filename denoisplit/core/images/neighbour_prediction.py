"""Prediction of pixels from their neighbours, with weights that the image itself tells."""

from itertools import product
from typing import Final

import attrs
import numpy as np
from scipy.ndimage import correlate, gaussian_filter, uniform_filter

from denoisplit.core.arrays import Float64Array

_REACHES: Final = (3, 2, 1)
"""Distances of neighbours to choose from, along either axis, pixels."""
_PER_WEIGHT: Final = 500
"""Pixels per weight from which a fit explains less than 1 % of noise that has nothing to do with it."""
_SAMPLE: Final = 500_000
"""Pixels of a plane that a fit of the weights reads, if there are more."""
_BLURS: Final = (1.0, 2.0)
"""Widths of Gaussians, pixels, that differ where there is structure."""
_WINDOW: Final = 7
"""Side of the squares in which the error of a blurred image is averaged, pixels."""


@attrs.frozen(eq=False)
class NeighbourPrediction:
    """Weights of the neighbours of a pixel.

    Attributes:
        kernel: the weights [y x]; their sum is 1, and 0 is in the centre.
    """

    kernel: Float64Array

    @property
    def noise(self) -> float:
        """Variance of the noise of a prediction, where that of every pixel is 1 and independent."""
        return float((self.kernel**2).sum())

    @property
    def margin(self) -> int:
        """Width of the border, pixels, in which neighbours are missing."""
        return len(self.kernel) // 2

    def of(self, plane: Float64Array) -> Float64Array:
        """Predict all pixels of a plane [y x], with mirrored neighbours in the margin."""
        return np.asarray(correlate(plane, self.kernel, mode="mirror"))

    def brightness(self, plane: Float64Array) -> Float64Array:
        r"""Estimate the brightness [y x] of which the errors of the predictions have the noise.

        The error :math:`x - \sum_i w_i x_i` has the noise of the pixel and some of that of the neighbours,
        which may be brighter. Where the variance is a linear function of the brightness, it is
        :math:`1 + q` times that of the brightness

        .. math:: \frac{s + \sum_i w_i^2 x_i}{1 + q}, \qquad q = \sum_i w_i^2.

        The signal s of the pixel is the mean of the prediction, and of the pixel with the weight
        :math:`(q + \sum_i w_i^3) / (1 + q)`. So the noise of the brightness and the errors are uncorrelated.
        """
        own = (self.noise + (self.kernel**3).sum()) / (1 + self.noise)
        kernel = (1 - own) * self.kernel + self.kernel**2
        kernel[self.margin, self.margin] = own
        return np.asarray(correlate(plane, kernel / (1 + self.noise), mode="mirror"))


def structure(plane: Float64Array) -> Float64Array:
    """How much two blurred images differ, of which none has the pixel itself, counts [y x]."""
    finer, coarser = (_surround(plane, width) for width in _BLURS)
    return np.abs(finer - coarser)


def best_prediction(planes: Float64Array) -> NeighbourPrediction:
    r"""Find the weights with the least squared error over all pixels of an image.

    Neighbours at the same distances along both axes share a weight. So there are nine weights of 48
    neighbours, fewer for small images. They follow from noise and structures: an even mean where there is
    only noise, and weights of both signs, which follow curved intensities, where fine structures are bright.

    The squared error of a pixel counts with :math:`1 / \sigma`, the standard deviation from a blurred image
    of the pixels around it. Least squares of equal weights know only the brightest places; those of
    :math:`1 / \sigma^2` forget structures.

    Args:
        planes: an image [p y x] of 8 x 8 pixels or more, finite.
    """
    rings = _rings(planes.shape)
    margin = len(rings[0]) // 2
    step = -(-planes[0].size // _SAMPLE)
    inner = np.s_[margin:-margin:step, margin:-margin]
    # The sum of all weights is 1, so the first ring has what the others leave.
    squares, products = np.zeros((len(rings) - 1,) * 2), np.zeros(len(rings) - 1)
    for plane in planes:
        first, *means = (correlate(plane, ring, mode="mirror")[inner].ravel() for ring in rings)
        rest = np.stack(means) - first
        weighted = rest * _confidence(plane)[inner].ravel()
        squares += weighted @ rest.T
        products += weighted @ (plane[inner].ravel() - first)
    others = np.linalg.lstsq(squares, products)[0]
    weights = np.concatenate([[1 - others.sum()], others])
    return NeighbourPrediction(np.tensordot(weights, rings, 1))


def _rings(shape: tuple[int, ...]) -> Float64Array:
    """Return even means [k y x] over neighbours at the same distances, as many as an image can tell."""
    planes, rows, columns = shape
    for reach in _REACHES:
        places = sorted({(min(p), max(p)) for p in product(range(reach + 1), repeat=2)} - {(0, 0)})
        pixels = planes * (rows - 2 * reach) * (columns - 2 * reach)
        if pixels >= _PER_WEIGHT * len(places):
            break
    y, x = np.abs(np.mgrid[-reach : reach + 1, -reach : reach + 1])
    distances = np.stack([np.minimum(y, x), np.maximum(y, x)])
    rings = np.stack([(distances == np.reshape(place, (2, 1, 1))).all(0) for place in places])
    means: Float64Array = rings / rings.sum((1, 2), keepdims=True)
    return means


def _surround(plane: Float64Array, width: float) -> Float64Array:
    """Return the Gaussian mean [y x] of the neighbours of each pixel."""
    impulse = np.zeros(1 + 2 * int(5 * width))
    impulse[len(impulse) // 2] = 1
    own = gaussian_filter(impulse, width).max() ** 2
    smooth = gaussian_filter(plane, width, mode="mirror")
    surround: Float64Array = (smooth - own * plane) / (1 - own)
    return surround


def _confidence(plane: Float64Array) -> Float64Array:
    """Return the weights of the squared errors [y x]."""
    squares = (plane - gaussian_filter(plane, 1.0, mode="mirror")) ** 2
    # Its running sums may leave less than nothing of large numbers.
    spread = np.sqrt(np.maximum(uniform_filter(squares, _WINDOW, mode="mirror"), 0))
    least = spread.mean() / 3  # where an image is constant, it tells nothing
    confidence: Float64Array = 1 / np.maximum(spread, least) if least else np.ones_like(spread)
    return confidence
