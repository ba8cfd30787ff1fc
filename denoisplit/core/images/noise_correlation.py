"""Whether the noise of neighbouring pixels goes together, as in interpolated, filtered, compressed images."""

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
"""Correlation of neighbours from which noise does not count as independent, and"""
STRONG: Final = 0.3
"""from which what rests on independence is refused."""

_DIFFERENCE: Final = np.array([1.0, -4.0, 6.0, -4.0, 1.0])
_OUTLIERS: Final = 0.001
_FIELDS: Final = 8
_SIDE: Final = 1024


def neighbour_correlation(residual: AnyArray) -> tuple[float, float] | None:
    r"""Correlation of the noise of neighbours along y and x.

    Fourth differences along both axes leave next to nothing of what a residual has beside noise: structures
    that were missed, an uneven background. Of white noise their own correlation at a distance of one is
    -56 / 70; where noise has the correlation r between neighbours, and none beyond, it is

    .. math:: q = \frac{a_1 + r (a_0 + a_2)}{a_0 + 2 r a_1}, \qquad (a_0, a_1, a_2) = (70, -56, 28).

    Args:
        residual: noise, and whatever is smooth [... y x].

    Returns:
        One number each; None for fewer than 16 pixels along y or x, or where there is no noise.
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
        q = float(np.mean(first * second)) / power
        found.append(float(np.clip((70 * q + 56) / (98 + 112 * q), -1, 1)))
    return found[0], found[1]


@attrs.frozen
class NoiseCorrelation:
    """How far the noise of neighbours goes together.

    Attributes:
        most: the larger of the correlations along y and x, mean over fields.
        source: what it was measured in.
    """

    most: float
    source: str

    @property
    def notable(self) -> bool:
        """Whether noise does not count as independent; fine structures may look so where nothing else is."""
        return self.most > (STRONG if self.source == _ALONE else NOTABLE)

    def __str__(self) -> str:
        return f"the noise of neighbouring pixels is correlated ({self.most:.2f}, measured in {self.source})"


_ALONE: Final = "the noisy images"


def noise_correlation(fields: Sequence[Field], channel: int) -> NoiseCorrelation | None:
    """Measure it in the best that there is: clean references, exposures of one place, or the images alone.

    Args:
        fields: of any sizes; a few of them are looked at, the middle of each.
        channel: index.

    Returns:
        None where nothing can be told.
    """
    some = list(fields[:: max(1, len(fields) // _FIELDS)])
    if residuals := [
        _middle(field.observed, channel) - _middle(field.clean, channel)
        for field in some
        if field.clean is not None
    ]:
        source = "what noisy and clean images differ by"
    elif residuals := [
        _middle(field.observed, channel) - _middle(field.repeats[0], channel)
        for field in with_repeats(fields, _SIDE)[:_FIELDS]
        if field.repeats is not None
    ]:
        source = "what exposures of one place differ by"
    else:
        residuals, source = [_middle(field.observed, channel) for field in some], _ALONE
    found = [both for residual in residuals if (both := neighbour_correlation(residual)) is not None]
    return NoiseCorrelation(float(np.mean(found, axis=0).max()), source) if found else None


def _middle(image: LazyArray, channel: int) -> AnyArray:
    return middle_of(image, channel, _SIDE).astype(np.float64)
