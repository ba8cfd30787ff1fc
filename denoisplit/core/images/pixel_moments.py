"""Mean and standard deviation of many pixels, merged from those of parts."""

import math

import attrs
import numpy as np

from denoisplit.core.arrays import AnyArray


@attrs.frozen
class PixelMoments:
    """Count, mean and summed squared deviation; ``+`` merges two sets of pixels.

    Source: Chan, Golub & LeVeque, 1979.
    """

    count: int = 0
    mean: float = 0.0
    deviation: float = 0.0

    def __add__(self, other: "PixelMoments") -> "PixelMoments":
        if not other.count:
            return self
        count = self.count + other.count
        shift = other.mean - self.mean
        return PixelMoments(
            count,
            self.mean + shift * other.count / count,
            self.deviation + other.deviation + shift * shift * self.count * other.count / count,
        )

    @property
    def finite(self) -> bool:
        """Whether they are finite; they are not if a pixel is NaN or infinite."""
        return math.isfinite(self.mean) and math.isfinite(self.deviation)

    @property
    def variance(self) -> float:
        """Population variance of the pixels, with divisor n."""
        return self.deviation / self.count

    @property
    def std(self) -> float:
        """Square root of the variance."""
        return math.sqrt(self.variance)


def moments_of(pixels: AnyArray) -> PixelMoments:
    """Measure the moments of an array in float64; not ``finite`` if a pixel is NaN or infinite."""
    values = pixels.astype(np.float64)
    with np.errstate(invalid="ignore"):  # infinity minus infinity
        mean = float(values.mean())
        return PixelMoments(values.size, mean, float(np.square(values - mean).sum()))
