"""Background and ceiling of mixed images that are not made of conditioned channels, as from a microscope.

In training, background and ceiling are applied channel by channel, before mixing. The channels of a mixed
image from elsewhere are unknown, so values from training take their place.
"""

from collections.abc import Sequence
from functools import partial

import attrs
import numpy as np

from denoisplit.core.arrays import Float32Array
from denoisplit.core.images.derived_images import elementwise
from denoisplit.core.images.intensity_range import Background, background_level, background_levels
from denoisplit.core.images.lazy import LazyArray
from denoisplit.core.images.mixing import Mixing, mix


@attrs.frozen(kw_only=True)
class FittedRange:
    """Background shift and ceilings that were measured on the training images; part of the run.

    Attributes:
        ceiling: ceiling of every channel, counts; infinite for none.
        background_shift: background of a mixed image minus its own quantile, counts.
    """

    ceiling: tuple[float, ...]
    background_shift: float = 0.0

    def of_channel(self, index: int) -> "FittedRange":
        """Return the range for images of one channel, whose background is their own quantile."""
        return FittedRange(ceiling=(self.ceiling[index],))


def background_shift(
    mixed: Sequence[LazyArray],
    levels: Sequence[Sequence[float]],
    background: Background,
    mixing: Mixing,
) -> float:
    """Measure by how much backgrounds of mixed images exceed their own quantile, counts, mean over fields.

    A low quantile of a mixture is not the mixture of low quantiles: noise averages out, and structures lie
    side by side.

    Args:
        mixed: mixed images [1 (z) y x] with their background and all their noise.
        levels: levels subtracted from every channel of every field, counts.
        background: the rule.
        mixing: rule by which the mixed images were made.
    """
    if not background.quantile or not levels:
        return 0.0
    no_offset = attrs.evolve(mixing, offset=0.0)
    shifts = [
        _mixture(level, no_offset) - background_levels(image, background)[0]
        for image, level in zip(mixed, levels, strict=True)
    ]
    return float(np.mean(shifts))


def condition_mixed(
    mixed: LazyArray, fitted: FittedRange, background: Background, mixing: Mixing
) -> LazyArray:
    """Condition a mixed image like those in training.

    Its background is its own quantile plus the fitted shift. Its ceiling is the mixture of the channels'
    ceilings, and with ``floor`` its lowest value is the mixture of empty channels.

    Args:
        mixed: one image [(z) y x], counts; a lazy image stays lazy.
        fitted: range of the training images.
        background: background rule of the training.
        mixing: mixing rule of the training.

    Source: method section 5.4.
    """
    lowest, highest = mixed_bounds(fitted, background, mixing)
    if background.quantile:
        level = background_level(mixed, background)
        mixed = elementwise(partial(_lowered, by=np.float32(level + fitted.background_shift)), mixed)
    if np.isinf([lowest, highest]).all():
        return mixed
    return elementwise(partial(np.clip, a_min=np.float32(lowest), a_max=np.float32(highest)), mixed)


def mixed_bounds(fitted: FittedRange, background: Background, mixing: Mixing) -> tuple[float, float]:
    """Lowest and highest value of a mixed image without its background, counts; infinite for none."""
    floored = background.quantile and background.floor
    lowest = _mixture([0.0] * len(fitted.ceiling), mixing) if floored else -np.inf
    return lowest, _mixture(fitted.ceiling, mixing)


def _lowered(counts: Float32Array, by: np.float32) -> Float32Array:
    return counts - by


def _mixture(counts: Sequence[float], mixing: Mixing) -> float:
    """Mix one number per channel at equal weights, counts."""
    return float(mix(np.asarray(counts, dtype=np.float64), mixing, axis=0)[0])
