"""Pile-up of pixels at the lowest value: a sign that background, and half of the noise, was cut off."""

from typing import Final

import numpy as np

from denoisplit.core.arrays import AnyArray

MUCH: Final = 0.01
"""Share of the pixels at the lowest value from which it counts as a pile."""
_STEEP: Final = 3.5
_FEW_PHOTONS: Final = 8.0
"""Median of the counts above zero below which integers from 0 on may be photons in a dark surround."""


def piled_up(sample: AnyArray) -> float:
    r"""Return the share of the pixels at the lowest value if noise does not explain it; else 0.

    For photons, the numbers :math:`n_0, n_1, n_2` of pixels at the three lowest levels have
    :math:`n_0 n_2 / n_1^2` between 1/2 (Poisson) and 1 (widely spread brightness); for a complete Gaussian it
    is less. If a tail was cut off, all of it is in :math:`n_0`. Dark surrounds of bright structures have
    more, too: single photons, counted from 0 on, never count as cut off.

    Args:
        sample: finite pixels, any shape, at the levels of a digital camera or any others.
    """
    values, counts = np.unique(sample, return_counts=True)
    share = float(counts[0] / sample.size)
    if len(values) < 4 or share < MUCH:
        return 0.0
    step = float(np.diff(values).min())
    if values[0] == 0 and step == 1 and np.median(sample[sample > 0]) < _FEW_PHOTONS:
        return 0.0
    first, second = (float(counts[np.abs(values - (values[0] + n * step)) < step / 2].sum()) for n in (1, 2))
    usual = max(first, 1.0) ** 2 / max(second, 1.0)
    return share if counts[0] > _STEEP * max(usual, first) else 0.0
