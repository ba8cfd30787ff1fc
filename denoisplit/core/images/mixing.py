"""Superposition of target channels into the mixed image that is to be split."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal, TypeVar

import attrs
import numpy as np
import numpy.typing as npt
from attrs.validators import ge, in_, le

from denoisplit.core.arrays import Float32Array
from denoisplit.core.images.bases import Field, MixedSource
from denoisplit.core.images.derived_images import across_channels, elementwise, zeros_like
from denoisplit.core.images.image_checks import check_channels
from denoisplit.core.images.lazy import LazyArray
from denoisplit.core.validators import QUIET, ranges_of_shares

Floating = TypeVar("Floating", bound=np.floating[Any])
Weights = npt.NDArray[np.float64]


@attrs.frozen(kw_only=True)
class Mixing:
    """Settings of the superposition of target channels into the mixed image.

    Attributes:
        mode: ``mean`` (the reference) or ``sum`` of the channels.
        offset: camera offset in counts that every channel carries; a sum keeps it once.
        alpha: ``[start, end]`` of the weight of every channel; 1 / channels is the equal weight. In training,
            one random number per patch decides where between start and end the weights of all its channels
            lie; empty for equal weights.
        shuffle: share of the training patches whose channels come from independent places in any field, so
            that few fields make many mixtures; 0 for none.
    """

    mode: Literal["mean", "sum"] = attrs.field(default="mean", validator=in_(("mean", "sum")))
    offset: float = 0.0
    alpha: tuple[tuple[float, float], ...] = attrs.field(default=(), validator=ranges_of_shares)
    shuffle: float = attrs.field(default=0.0, validator=[ge(0), le(1)], metadata={QUIET: True})


def drawn_anew(mixing: Mixing, *, fresh: bool) -> Mapping[str, object]:
    """Settings that make a new mixed image for every training patch, by their keys below ``data``."""
    settings = {"mixing.alpha": mixing.alpha, "mixing.shuffle": mixing.shuffle, "degradation.fresh": fresh}
    return {key: value for key, value in settings.items() if value}


def mix(
    channels: npt.NDArray[Floating], mixing: Mixing, *, axis: int, weights: Weights | None = None
) -> npt.NDArray[Floating]:
    """Superimpose channels; the channel axis stays, with length 1.

    Args:
        channels: [c (z) y x] with ``axis=0`` or [b c (z) y x] with ``axis=1``, counts.
        mixing: mean, or sum with the camera offset kept once.
        axis: the channel axis.
        weights: weights of the channels, [c] or [b c], where 1 / channels is equal; None for equal weights.

    Returns:
        [1 (z) y x] or [b 1 (z) y x], counts, in the dtype of ``channels``.
    Source: Ashesh & Jug, denoiSplit, ECCV 2024, section 3; method section 5.6.
    """
    if weights is not None:
        return _weighted(channels, mixing, axis, weights)
    mixed: npt.NDArray[Floating] = channels.sum(axis=axis, keepdims=True, dtype=channels.dtype)
    if mixing.mode == "mean":
        mixed /= channels.shape[axis]
    else:
        mixed -= (channels.shape[axis] - 1) * mixing.offset
    return mixed


def random_weights(
    mixing: Mixing, count: int, channels: int, rng: np.random.Generator
) -> npt.NDArray[np.float64] | None:
    """Draw the channel weights [b c] of ``count`` patches; None for equal weights.

    Raises:
        ChannelCountError: ``alpha`` has another number of entries than there are channels.
    Source: method section 5.6.
    """
    if not mixing.alpha:
        return None
    check_channels(len(mixing.alpha), channels, "$.data.mixing.alpha", "Give one [start, end] per channel.")
    start, end = np.asarray(mixing.alpha, dtype=np.float64).T
    return np.asarray(start + rng.random((count, 1)) * (end - start))


def superimpose(
    observed: Float32Array,
    source: MixedSource | None,
    mixing: Mixing,
    *,
    axis: int,
    weights: Weights | None = None,
) -> Float32Array:
    """Mix noisy channels, or the image's own source if it has one; see ``mix``."""
    if source is None:
        return mix(observed, mixing, axis=axis, weights=weights)
    noiseless: Float32Array = np.asarray(source.noiseless)
    mixed = mix(noiseless, mixing, axis=axis, weights=weights)
    return np.add(mixed, source.noise)


def source_of(field: Field) -> MixedSource | None:
    """Return the parts of the mixed image of a field; a recorded one is its own, without further noise."""
    if field.mixed is None:
        return field.mixed_source
    return MixedSource(noiseless=field.mixed, noise=zeros_like(field.mixed))


def mixed_image(field: Field, mixing: Mixing) -> LazyArray:
    """Return the mixed image [1 (z) y x] of a field, counts: recorded, or mixed at equal weights."""
    source = source_of(field)
    if source is None:
        return mixed_channels(field.observed, mixing)
    return elementwise(np.add, mixed_channels(source.noiseless, mixing), source.noise)


def mixed_channels(image: LazyArray, mixing: Mixing, *, axis: int = 0) -> LazyArray:
    """Mix the channels of an image, along ``axis``, at equal weights; see ``mix``."""
    return across_channels(image, partial(mix, mixing=mixing, axis=axis), axis=axis, channels=1)


def _weighted(
    channels: npt.NDArray[Floating], mixing: Mixing, axis: int, weights: Weights
) -> npt.NDArray[Floating]:
    factor = channels.shape[axis] if mixing.mode == "sum" else 1
    shaped = (factor * weights).reshape(*weights.shape, *[1] * (channels.ndim - weights.ndim))
    scale = shaped.astype(channels.dtype)
    mixed: npt.NDArray[Floating] = (channels * scale).sum(axis=axis, keepdims=True, dtype=channels.dtype)
    mixed -= (scale.sum(axis=axis, keepdims=True) - 1) * mixing.offset
    return mixed
