"""Subtraction of background and clipping of bright outliers, both at quantiles of the images."""

from collections.abc import Sequence

import attrs
import numpy as np
from attrs.validators import ge, gt, le, lt

from denoisplit.core.arrays import AnyArray, Float32Array
from denoisplit.core.images.derived_images import channel_of
from denoisplit.core.images.lazy import LazyArray
from denoisplit.core.images.quantiles import quantile


@attrs.frozen(kw_only=True)
class Background:
    """Settings of the background that is subtracted from every channel of every field.

    Attributes:
        quantile: the integer part of this quantile of the pixels is subtracted; 0 subtracts nothing.
        floor: whether negative counts are then set to 0.
    """

    quantile: float = attrs.field(default=0.0, validator=[ge(0), lt(1)])
    floor: bool = False


@attrs.frozen(kw_only=True)
class Clip:
    """Settings of the ceiling of intensities.

    Attributes:
        quantile: quantile of the training pixels that is the ceiling; brighter pixels of all images are set
            to it; 1 changes nothing.
        per_channel: whether every channel has its own ceiling; else one is shared by all channels.
    """

    quantile: float = attrs.field(default=1.0, validator=[gt(0), le(1)])
    per_channel: bool = False


def background_levels(counts: LazyArray, background: Background) -> tuple[float, ...]:
    """Measure the level to subtract from every channel, counts.

    Args:
        counts: one field [c (z) y x].
        background: the rule.

    Source: method section 5.4, without its refusal of levels up to 20 counts.
    """
    if not background.quantile:
        return (0.0,) * len(counts)
    return tuple(background_level(channel_of(counts, channel), background) for channel in range(len(counts)))


def background_level(counts: LazyArray, background: Background) -> float:
    """Measure the level to subtract from a single image of any axes, counts."""
    return float(int(quantile([counts], background.quantile)))


def ceilings(fields: Sequence[LazyArray], clip: Clip) -> tuple[float, ...]:
    """Measure the ceiling of every channel, counts; infinite if nothing is clipped.

    Args:
        fields: all training fields [c (z) y x].
        clip: the rule.

    Source: method section 5.4.
    """
    channels = len(fields[0])
    if clip.quantile == 1:
        return (float("inf"),) * channels
    if not clip.per_channel:
        return (quantile(fields, clip.quantile),) * channels
    each = [[channel_of(field, channel) for field in fields] for channel in range(channels)]
    return tuple(quantile(images, clip.quantile) for images in each)


def subtract_background(
    counts: Float32Array, levels: Sequence[float] | AnyArray, background: Background, *, spatial: int
) -> Float32Array:
    """Subtract the background from counts.

    Args:
        counts: [... c (z) y x].
        levels: per channel [c], or [b c] for patches [b c (z) y x].
        background: the rule.
        spatial: number of spatial axes.
    """
    if not background.quantile:
        return counts
    lowered = counts - _per_channel(levels, spatial)
    return np.maximum(lowered, np.float32(0)) if background.floor else lowered


def clip_intensities(counts: Float32Array, ceiling: Sequence[float], *, spatial: int) -> Float32Array:
    """Clip counts [... c (z) y x] at the ceiling of their channel."""
    if np.isinf(ceiling).all():
        return counts
    return np.minimum(counts, _per_channel(ceiling, spatial))


def _per_channel(values: Sequence[float] | AnyArray, spatial: int) -> Float32Array:
    array = np.asarray(values, dtype=np.float32)
    return array.reshape(*array.shape, *[1] * spatial)
