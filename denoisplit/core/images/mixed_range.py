"""Background and ceiling of mixed images that are not made of conditioned channels: those of a microscope.

In training, background and ceiling are dealt with channel by channel, before mixing. Of a mixed image from
elsewhere the channels are unknown; what training found out about them stands in.
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
    """What the training images said about background and ceiling; it belongs to the run.

    Attributes:
        ceiling: what every channel was cut off at, counts; infinite for nowhere.
        background_shift: background of a mixed image minus its own quantile, counts.
    """

    ceiling: tuple[float, ...]
    background_shift: float = 0.0

    def of_channel(self, index: int) -> "FittedRange":
        """The range of images of one channel, whose background is their own quantile."""
        return FittedRange(ceiling=(self.ceiling[index],))


def background_shift(
    mixed: Sequence[LazyArray],
    levels: Sequence[Sequence[float]],
    background: Background,
    mixing: Mixing,
) -> float:
    """By how much the background of mixed images exceeds their own quantile, counts, mean over the fields.

    A low quantile of a mixture is not the mixture of low quantiles: noise averages out, and structures lie
    side by side.

    Args:
        mixed: mixed images [1 (z) y x] with their background and all their noise.
        levels: what was subtracted from every channel of every field, counts.
        background: the rule.
        mixing: how the mixed images were made.
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
    """A mixed image as the network was trained to see it.

    Its background is its own quantile plus the fitted shift. It is cut off where the mixture of channels at
    their ceilings would be, and with ``floor`` where that of empty channels would be.

    Args:
        mixed: one image [(z) y x], counts; not in memory, it is changed where it is read.
        fitted: of the training images.
        background: the rule that was fitted with.
        mixing: the mixing that was trained with.

    Source: method section 5.4.
    """
    lowest, highest = -np.inf, _mixture(fitted.ceiling, mixing)
    if background.quantile:
        level = background_level(mixed, background)
        mixed = elementwise(partial(_lowered, by=np.float32(level + fitted.background_shift)), mixed)
        if background.floor:
            lowest = _mixture([0.0] * len(fitted.ceiling), mixing)
    if np.isinf([lowest, highest]).all():
        return mixed
    return elementwise(partial(np.clip, a_min=np.float32(lowest), a_max=np.float32(highest)), mixed)


def _lowered(counts: Float32Array, by: np.float32) -> Float32Array:
    return counts - by


def _mixture(counts: Sequence[float], mixing: Mixing) -> float:
    """Mixture of one number per channel at equal weights, counts."""
    return float(mix(np.asarray(counts, dtype=np.float64), mixing, axis=0)[0])
