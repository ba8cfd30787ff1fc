"""Intensity statistics of a data set, measured once and then carried by the model."""

import math
from collections.abc import Sequence

import attrs
import numpy as np

from denoisplit.core.errors import ImageError
from denoisplit.core.images.checks import check_channels, check_finite
from denoisplit.core.images.interfaces import AnyArray, FloatArray
from denoisplit.core.images.mixing import Mixing, mix
from denoisplit.core.network.units import IntensityStats


@attrs.frozen
class _Moments:
    """Count, mean and summed squared deviation; ``+`` merges two sets of pixels.

    Source: Chan, Golub & LeVeque, 1979.
    """

    count: int = 0
    mean: float = 0.0
    deviation: float = 0.0

    def __add__(self, other: "_Moments") -> "_Moments":
        if not other.count:
            return self
        count = self.count + other.count
        shift = other.mean - self.mean
        return _Moments(
            count,
            self.mean + shift * other.count / count,
            self.deviation + other.deviation + shift * shift * self.count * other.count / count,
        )

    @property
    def std(self) -> float:
        return math.sqrt(self.deviation / self.count)


def _moments(pixels: AnyArray) -> _Moments:
    values = pixels.astype(np.float64)
    mean = float(values.mean())
    return _Moments(values.size, mean, float(np.square(values - mean).sum()))


def intensity_stats(targets: Sequence[FloatArray], mixing: Mixing) -> IntensityStats:
    """Mean and population standard deviation of noisy training images.

    For ``mean`` mixing the mixed image is normalised by the statistics of all target pixels pooled, so that
    its standard deviation becomes less than 1 (the reference); for ``sum`` mixing by those of the summed
    images. One field and channel at a time is held in float64.

    Args:
        targets: noisy target channels [c (z) y x] of every training field, counts.
        mixing: how the mixed image is made.

    Raises:
        ImageError: no field, NaN or infinite pixels, or a channel that is constant over all fields.
        ChannelCountError: fields with different numbers of channels.

    Source: Ashesh & Jug, ECCV 2024, code; method section 5.5.
    """
    if not targets:
        raise ImageError(
            "intensity statistics: there is no training image (got 0 fields). Give at least one."
        )
    channels = targets[0].shape[0]
    per_channel = [_Moments()] * channels
    summed = _Moments()
    for number, field in enumerate(targets):
        where = f"training field {number}"
        check_channels(field.shape[0], channels, where, "Give all fields the same channels.")
        check_finite(field, where)
        per_channel = [known + _moments(pixels) for known, pixels in zip(per_channel, field, strict=True)]
        if mixing.mode == "sum":
            summed += _moments(mix(field.astype(np.float64), mixing, axis=0))
    for channel, moments in enumerate(per_channel):
        if moments.deviation == 0:
            raise ImageError(
                f"intensity statistics: channel {channel} is constant over all training fields "
                f"(got {moments.mean}). Check that the right channel was chosen."
            )
    mixed = summed if mixing.mode == "sum" else sum(per_channel, _Moments())
    if mixed.deviation == 0:
        raise ImageError(
            f"intensity statistics: the mixed image is constant (got {mixed.mean}). Check the channels."
        )
    return IntensityStats(
        mixed_mean=mixed.mean,
        mixed_std=mixed.std,
        target_mean=tuple(moments.mean for moments in per_channel),
        target_std=tuple(moments.std for moments in per_channel),
    )
