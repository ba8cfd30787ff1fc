"""Correlation of the noise of neighbouring pixels, as in interpolated, filtered or compressed images."""

from collections.abc import Sequence
from typing import Final

import attrs
import numpy as np
from scipy.ndimage import correlate1d, uniform_filter

from denoisplit.core.arrays import AnyArray, Float64Array
from denoisplit.core.images.bases import Field, LazyArray
from denoisplit.core.images.derived_images import middle_of
from denoisplit.core.images.exposures import with_repeats

NOTABLE: Final = 0.05
"""Correlation of neighbours from which noise does not count as independent."""
STRONG: Final = 0.3
"""Correlation from which methods that need independent noise are refused."""
SURE: Final = 4.0
"""Standard errors from which a correlation is not chance: one in 15,000, as many channels are measured."""

_DIFFERENCE: Final = np.array([1.0, -4.0, 6.0, -4.0, 1.0])
_LEAST: Final = -105 / 126
"""The q of noise with r = -1/2, below which there is none; the formula has a pole and then other signs."""
_OUTLIERS: Final = 0.001
_FIELDS: Final = 8
_SIDE: Final = 1024
_WINDOW: Final = 9
"""Side of the squares in which the local strength of the noise is measured, pixels."""


@attrs.frozen
class Neighbours:
    """Correlation of the noise of neighbours, and how far chance moves it.

    Attributes:
        along_y, along_x: the correlations.
        error: standard error of each of them, if the noise is white.
    """

    along_y: float
    along_x: float
    error: float

    @property
    def largest(self) -> float:
        """The correlation that is further from zero."""
        return max(self.along_y, self.along_x, key=abs)

    def exceeds(self, limit: float) -> bool:
        """Whether a correlation is beyond a limit, up or down, and not by chance."""
        return abs(self.largest) > max(limit, SURE * self.error)


def mean_of(found: Sequence[Neighbours]) -> Neighbours:
    """Average what independent images have, one or more of them."""
    count = len(found)
    return Neighbours(
        along_y=sum(one.along_y for one in found) / count,
        along_x=sum(one.along_x for one in found) / count,
        error=sum(one.error**2 for one in found) ** 0.5 / count,
    )


def neighbour_correlation(residual: AnyArray) -> Neighbours | None:
    r"""Measure the correlation of the noise of neighbours along y and x.

    Fourth differences along both axes remove from a residual almost everything but noise, such as missed
    structures or an uneven background. For white noise, their own correlation at a distance of one is
    -56 / 70; for noise with the correlation r between neighbours, and none beyond, it is

    .. math:: q = \frac{a_1 + r (a_0 + a_2)}{a_0 + 2 r a_1}, \qquad (a_0, a_1, a_2) = (70, -56, 28).

    Its standard error for white noise of the variance v, which may differ from pixel to pixel, is

    .. math:: \epsilon^2 = \frac{2 \sum_l a_l^2 \sum_l b_l^2}{(8.4\, a_0)^2}
        \frac{\sum v^2}{(\sum v)^2} \approx \frac{27.7}{\text{pixels}}, \qquad
        b_l = \frac{a_0}{2} (a_{l - 1} + a_{l + 1}) - a_1 a_l,

    as r is a quadratic form of the noise without squares of single pixels (b is zero at l = 0).

    Args:
        residual: noise, possibly with smooth structures [... y x].

    Returns:
        The correlations; None for fewer than 16 pixels along y or x, or without noise.
    """
    if min(residual.shape[-2:]) < 16:
        return None
    rough = residual.astype(np.float64)
    low, high = np.quantile(rough, (_OUTLIERS, 1 - _OUTLIERS))
    rough = np.clip(rough, 2 * low - high, 2 * high - low)
    for axis in (-2, -1):
        rough = correlate1d(rough, _DIFFERENCE, axis=axis)
    rough = rough[..., 2:-2, 2:-2]
    power = float(np.mean(np.square(rough)))
    if not power > 0:
        return None
    found, slopes = [], []
    for axis in (-2, -1):
        first, second = (
            np.take(rough, range(start, rough.shape[axis] - 1 + start), axis) for start in (0, 1)
        )
        q = max(float(np.mean(first * second)) / power, _LEAST)
        slopes.append(8.4 / (98 + 112 * q))
        found.append(float(np.clip((70 * q + 56) / (98 + 112 * q), -1, 1)))
    return Neighbours(along_y=found[0], along_x=found[1], error=max(slopes) * _white_error(rough))


def _white_error(rough: Float64Array) -> float:
    """Return the standard error for white noise that is as uneven as its differences are."""
    of_difference = np.correlate(_DIFFERENCE, _DIFFERENCE, "full")
    far = np.pad(of_difference, 1)
    either_side = np.convolve(of_difference, [35.0, 0.0, 35.0])
    factor = 2 * np.sum(of_difference**2) * np.sum((either_side + 56 * far) ** 2) / (8.4 * 70 * 70) ** 2
    local = uniform_filter(np.square(rough), (*(0,) * (rough.ndim - 2), _WINDOW, _WINDOW))
    by_chance = 2 * (np.sum(of_difference**2) / 70**2 / _WINDOW) ** 2
    spread = float(np.sum(local**2) / np.sum(local) ** 2) / (1 + by_chance)
    return float(np.sqrt(factor * max(spread, 1 / rough.size)))


@attrs.frozen
class NoiseCorrelation:
    """Correlation of the noise of neighbours in a channel.

    Attributes:
        found: the correlations along y and x, mean over fields.
        source: the pixels in which they were measured.
    """

    found: Neighbours
    source: str

    @property
    def notable(self) -> bool:
        """Whether noise counts as correlated; in noisy images alone, fine structures may look so, too."""
        return self.found.exceeds(STRONG if self.source == _ALONE else NOTABLE)

    @property
    def unknown(self) -> bool:
        """Whether there are so few pixels that even a strong correlation may be chance."""
        return not self.notable and SURE * self.found.error > STRONG

    @property
    def told(self) -> str:
        """The correlation, its error and where it was measured."""
        return f"{self.found.largest:.2f} ± {self.found.error:.2f}, measured in {self.source}"

    def __str__(self) -> str:
        return f"the noise of neighbouring pixels is correlated ({self.told})"


_ALONE: Final = "the noisy images"


def noise_correlation(fields: Sequence[Field], channel: int) -> NoiseCorrelation | None:
    """Measure a channel in the best data: clean references, exposures of one place, or noisy images alone.

    Args:
        fields: fields of any sizes; the middles of a few of them are used.
        channel: index of the channel.

    Returns:
        The correlation; None if it cannot be measured.
    """
    some = list(fields[:: max(1, len(fields) // _FIELDS)])
    if residuals := [
        _middle(field.observed, channel) - _middle(field.clean, channel)
        for field in some
        if field.clean is not None
    ]:
        source = "the differences between noisy and clean images"
    elif residuals := [
        _middle(field.observed, channel) - _middle(field.repeats[0], channel)
        for field in with_repeats(fields, _SIDE)[:_FIELDS]
        if field.repeats is not None
    ]:
        source = "the differences between exposures of one place"
    else:
        residuals, source = [_middle(field.observed, channel) for field in some], _ALONE
    found = [both for residual in residuals if (both := neighbour_correlation(residual)) is not None]
    return NoiseCorrelation(mean_of(found), source) if found else None


def _middle(image: LazyArray, channel: int) -> AnyArray:
    return middle_of(image, channel, _SIDE).astype(np.float64)
