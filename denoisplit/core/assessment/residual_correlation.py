"""Whether a residual is white: the correlation of its pixels with those some pixels away."""

from typing import Final

import attrs
import numpy as np

from denoisplit.core.arrays import AnyArray, Float64Array
from denoisplit.core.images.noise_correlation import Neighbours, mean_of, neighbour_correlation

LAGS: Final = 8
"""Largest distance, pixels."""


@attrs.frozen(kw_only=True, eq=False)
class ResidualCorrelation:
    """What the residuals of some images are like.

    Attributes:
        std: their standard deviation, in units of the std of the noise.
        along_y, along_x: correlation of pixels 1, 2, ... pixels apart.
        rough: correlation of neighbours without what is smooth, such as a missed structure,
            corrected for the filter: 0 for white noise. Fine structure passes the filter, so this is that of
            the noise only where the residual is nothing else. None if it cannot be measured.
        white: largest correlation, up or down, that white noise would have by chance (3 standard errors).
    """

    std: float
    along_y: Float64Array
    along_x: Float64Array
    rough: Neighbours | None
    white: float

    @property
    def largest(self) -> float:
        """The correlation that is furthest from zero."""
        return float(max((*self.along_y, *self.along_x), key=abs))


def residual_correlation(residuals: list[AnyArray]) -> ResidualCorrelation:
    """Measure residuals [(z) y x], which are in units of the std of their noise."""
    centred = [one.astype(np.float64) - one.mean(dtype=np.float64) for one in residuals]
    power = sum(float(np.square(one).sum()) for one in centred)
    pixels = sum(one.size for one in centred)
    rough = [found for one in centred if (found := neighbour_correlation(one)) is not None]
    return ResidualCorrelation(
        std=(power / pixels) ** 0.5,
        along_y=_correlations(centred, -2, power / pixels),
        along_x=_correlations(centred, -1, power / pixels),
        rough=mean_of(rough) if rough else None,
        white=3 / pixels**0.5,
    )


def _correlations(images: list[Float64Array], axis: int, variance: float) -> Float64Array:
    found = []
    for lag in range(1, LAGS + 1):
        pairs = [
            (
                image.take(range(lag, image.shape[axis]), axis),
                image.take(range(image.shape[axis] - lag), axis),
            )
            for image in images
            if image.shape[axis] > lag
        ]
        count = sum(one.size for one, _ in pairs)
        total = sum(float((one * other).sum()) for one, other in pairs)
        found.append(total / count / variance if count and variance > 0 else 0.0)
    return np.array(found)
