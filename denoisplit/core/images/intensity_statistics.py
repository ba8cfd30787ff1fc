"""Intensity statistics of a data set, measured once and stored with the model."""

import math
from collections.abc import Sequence

import attrs
import numpy as np

from denoisplit.core.errors import ImageError
from denoisplit.core.images.block_walks import block_places, blocks
from denoisplit.core.images.image_checks import check_channels, check_finite
from denoisplit.core.images.lazy import LazyArray
from denoisplit.core.images.mixing import Mixing, mix
from denoisplit.core.images.normalisation import Normalisation
from denoisplit.core.images.pixel_moments import PixelMoments, moments_of
from denoisplit.core.network.units import IntensityStats


@attrs.frozen(kw_only=True)
class _Measured:
    """Moments of the pixels of every channel and of the mixed images."""

    channels: tuple[PixelMoments, ...]
    images: PixelMoments

    @property
    def pooled(self) -> PixelMoments:
        return sum(self.channels, PixelMoments())

    def mixed(self, rule: str, mixing: Mixing) -> tuple[float, float]:
        """Return the mean and standard deviation by which the mixed image is normalised."""
        if rule != "independent":
            moments = self.images if rule == "images" else self.pooled
            return moments.mean, moments.std
        count = len(self.channels)
        mean = sum(moments.mean for moments in self.channels)
        std = math.sqrt(sum(moments.deviation / moments.count for moments in self.channels))
        if mixing.mode == "mean":
            return mean / count, std / count
        return mean - (count - 1) * mixing.offset, std


def intensity_stats(
    targets: Sequence[LazyArray],
    mixing: Mixing,
    *,
    normalisation: Normalisation | None = None,
    noiseless: Sequence[LazyArray] | None = None,
    recorded: Sequence[LazyArray] | None = None,
) -> IntensityStats:
    """Measure mean and population standard deviation of noisy training images.

    By default, for ``mean`` mixing the mixed image is normalised by the statistics of all target pixels
    pooled, so that its standard deviation becomes less than 1 (the reference); for ``sum`` mixing by those of
    the summed images, and recorded mixed images by their own. One block of pixels at a time, with all its
    channels, is in memory in float64.

    Args:
        targets: noisy target channels [c (z) y x] of every training field, counts.
        mixing: rule by which the mixed image is made.
        normalisation: choice of the pixels; None for the defaults.
        noiseless: targets before additive noise, from which the reference takes the means; None takes them
            from ``targets``.
        recorded: recorded mixed image [1 (z) y x] of every field; None if it is made of the channels.

    Raises:
        ImageError: no field, NaN or infinite pixels, or a channel that is constant over all fields.
        ChannelCountError: fields differ in their number of channels.

    Source: Ashesh & Jug, denoiSplit, ECCV 2024, code; method section 5.5, without its repeated mean of a sum.
    """
    if not targets:
        raise ImageError(
            "intensity statistics: there is no training image (got 0 fields). Give at least one."
        )
    chosen = normalisation or Normalisation()
    rule = chosen.mixed
    if rule == "auto":
        rule = "pooled" if mixing.mode == "mean" and recorded is None else "images"
    spread = _measure(targets, mixing, images=rule == "images", recorded=recorded)
    centre = spread
    if noiseless is not None:
        centre = _measure(noiseless, mixing, images=rule == "images", recorded=recorded)
    for channel, moments in enumerate(spread.channels):
        if moments.deviation == 0:
            raise ImageError(
                f"intensity statistics: channel {channel} is constant over all training fields "
                f"(got {moments.mean}). Check that the right channel was chosen."
            )
    mixed_mean, mixed_std = centre.mixed(rule, mixing)[0], spread.mixed(rule, mixing)[1]
    if mixed_std == 0:
        raise ImageError(
            f"intensity statistics: the mixed image is constant (got {mixed_mean}). Check the channels."
        )
    count = len(spread.channels)
    pooled = chosen.targets == "pooled"
    means = (centre.pooled,) * count if pooled else centre.channels
    stds = (spread.pooled,) * count if pooled else spread.channels
    return IntensityStats(
        mixed_mean=mixed_mean,
        mixed_std=mixed_std,
        target_mean=tuple(moments.mean for moments in means),
        target_std=tuple(moments.std for moments in stds),
    )


def _measure(
    fields: Sequence[LazyArray], mixing: Mixing, *, images: bool, recorded: Sequence[LazyArray] | None
) -> _Measured:
    """Measure moments over all fields; those of the mixed images only if wanted.

    Every pixel is read once: the channels of a block and their mixture are measured together.
    """
    channels = fields[0].shape[0]
    per_channel = [PixelMoments()] * channels
    mixed = PixelMoments()
    for number, field in enumerate(fields):
        where = f"training field {number}"
        check_channels(field.shape[0], channels, where, "Give all fields the same channels.")
        for region in block_places((1, *field.shape[1:])):
            pixels = np.asarray(field[(slice(None), *region[1:])])
            for channel in range(channels):
                per_channel[channel] += moments_of(pixels[channel : channel + 1])
            if images and recorded is None:
                mixed += moments_of(mix(pixels.astype(np.float64), mixing, axis=0))
        if not all(moments.finite for moments in per_channel):
            check_finite(field, where)
        if images and recorded is not None:
            for _, pixels in blocks(recorded[number]):
                mixed += moments_of(pixels)
            if not mixed.finite:
                check_finite(recorded[number], f"{where}, mixed image")
    return _Measured(channels=tuple(per_channel), images=mixed)
