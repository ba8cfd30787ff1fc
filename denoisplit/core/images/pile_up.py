"""Pixels that pile up at the lowest value: a background was cut off, and half of the noise with it."""

from typing import Final

import numpy as np

from denoisplit.core.arrays import AnyArray

MUCH: Final = 0.01
"""Part of the pixels at the lowest value from which it is a pile."""
_STEEP: Final = 3.5
_FEW_PHOTONS: Final = 8.0
"""Median of the counts above zero below which integers from 0 on may be photons in a dark surround."""


def piled_up(sample: AnyArray) -> float:
    r"""Part of the pixels at the lowest value, where they are more than noise would put there; else 0.

    Of the counts :math:`n_0, n_1, n_2` of the three lowest levels, those of photons have
    :math:`n_0 n_2 / n_1^2` between 1/2 (Poisson) and 1 (of widely spread brightness), and a Gaussian that is
    recorded whole has less. Where a tail was cut off, all of it is in :math:`n_0`. Dark surrounds of bright
    structures have more, too: single photons, counted from 0 on, are never called cut off.

    Args:
        sample: finite pixels, any shape; levels are those of a digital camera, or any others.
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
