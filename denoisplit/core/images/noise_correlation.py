"""Correlation of the noise of neighbouring pixels, as in interpolated, filtered or compressed images."""

from collections.abc import Sequence
from typing import Final

import attrs
import numpy as np
from scipy.ndimage import correlate1d

from denoisplit.core.arrays import AnyArray
from denoisplit.core.images.bases import Field, LazyArray
from denoisplit.core.images.derived_images import middle_of
from denoisplit.core.images.exposures import with_repeats

NOTABLE: Final = 0.15
"""Correlation of neighbours from which noise does not count as independent."""
STRONG: Final = 0.3
"""Correlation from which methods that need independent noise are refused."""

_DIFFERENCE: Final = np.array([1.0, -4.0, 6.0, -4.0, 1.0])
_LEAST: Final = -105 / 126
"""The q of noise with r = -1/2, below which there is none; the formula has a pole and then other signs."""
_OUTLIERS: Final = 0.001
_FIELDS: Final = 8
_SIDE: Final = 1024


def neighbour_correlation(residual: AnyArray) -> tuple[float, float] | None:
    r"""Measure the correlation of the noise of neighbours along y and x.

    Fourth differences along both axes remove from a residual almost everything but noise, such as missed
    structures or an uneven background. For white noise, their own correlation at a distance of one is
    -56 / 70; for noise with the correlation r between neighbours, and none beyond, it is

    .. math:: q = \frac{a_1 + r (a_0 + a_2)}{a_0 + 2 r a_1}, \qquad (a_0, a_1, a_2) = (70, -56, 28).

    Args:
        residual: noise, possibly with smooth structures [... y x].

    Returns:
        One number each; None for fewer than 16 pixels along y or x, or without noise.
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
    found = []
    for axis in (-2, -1):
        first, second = (
            np.take(rough, range(start, rough.shape[axis] - 1 + start), axis) for start in (0, 1)
        )
        q = max(float(np.mean(first * second)) / power, _LEAST)
        found.append(float(np.clip((70 * q + 56) / (98 + 112 * q), -1, 1)))
    return found[0], found[1]


@attrs.frozen
class NoiseCorrelation:
    """Correlation of the noise of neighbours.

    Attributes:
        most: the larger of the correlations along y and x, mean over fields.
        source: the pixels in which it was measured.
    """

    most: float
    source: str

    @property
    def notable(self) -> bool:
        """Whether noise counts as correlated; in noisy images alone, fine structures may look so, too."""
        return self.most > (STRONG if self.source == _ALONE else NOTABLE)

    def __str__(self) -> str:
        return f"the noise of neighbouring pixels is correlated ({self.most:.2f}, measured in {self.source})"


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
    return NoiseCorrelation(float(np.mean(found, axis=0).max()), source) if found else None


def _middle(image: LazyArray, channel: int) -> AnyArray:
    return middle_of(image, channel, _SIDE).astype(np.float64)
