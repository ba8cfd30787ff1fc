"""Intensity statistics: the only place that converts between detector counts and normalised units."""

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import attrs
import torch
from torch import Tensor

from denoisplit.core.errors import ChannelCountError


def _positive(_instance: object, attribute: "attrs.Attribute[Any]", value: float | tuple[float, ...]) -> None:
    values = value if isinstance(value, tuple) else (value,)
    if not all(0 < v < float("inf") for v in values):
        raise ValueError(f"'{attribute.name}' must be finite and > 0 (got {value})")


def _finite(_instance: object, attribute: "attrs.Attribute[Any]", value: float | tuple[float, ...]) -> None:
    values = value if isinstance(value, tuple) else (value,)
    if not all(map(math.isfinite, values)):
        raise ValueError(f"'{attribute.name}' must be finite (got {value})")


def _floats(values: Iterable[float]) -> tuple[float, ...]:
    return tuple(values)


@attrs.frozen(kw_only=True)
class IntensityStats:
    """Mean and standard deviation of the training images, in detector counts.

    Attributes:
        mixed_mean: mean of the mixed image.
        mixed_std: standard deviation that the mixed image is divided by.
        target_mean: mean of every target channel.
        target_std: standard deviation of every target channel (noise included).

    Source: Ashesh & Jug, denoiSplit, ECCV 2024, code; method section 5.5.
    """

    mixed_mean: float = attrs.field(validator=_finite)
    mixed_std: float = attrs.field(validator=_positive)
    target_mean: tuple[float, ...] = attrs.field(converter=_floats, validator=_finite)
    target_std: tuple[float, ...] = attrs.field(converter=_floats, validator=_positive)

    def __attrs_post_init__(self) -> None:
        if len(self.target_mean) != len(self.target_std):
            raise ChannelCountError(
                f"IntensityStats: target_mean has {len(self.target_mean)} channels, target_std has "
                f"{len(self.target_std)}. Give one value per target channel to both."
            )

    @property
    def channels(self) -> int:
        """Number of target channels."""
        return len(self.target_mean)

    def normalise_mixed(self, mixed: Tensor) -> Tensor:
        """Counts [b 1 (z) y x] to normalised units."""
        return (mixed - self.mixed_mean) / self.mixed_std

    def to_counts(self, signal: Tensor) -> Tensor:
        """Normalised target channels [b c (z) y x] to counts."""
        return signal * self.per_channel(self.target_std, signal) + self.per_channel(self.target_mean, signal)

    def per_channel(self, values: tuple[float, ...], like: Tensor) -> Tensor:
        """Broadcast one value per channel to [1 c 1 ...] in the dtype and device of ``like``.

        Raises:
            ChannelCountError: ``like`` has another number of channels.
        """
        if like.shape[1] != len(values):
            raise ChannelCountError(
                f"IntensityStats: the image has {like.shape[1]} channels, the statistics {len(values)}. "
                f"Use images with the channels that the model was built for."
            )
        if torch.compiler.is_compiling():  # a compiler's tensors stand for numbers and must not be kept
            found = _tensor(values, like.dtype, like.device)
        else:  # a copy, which may be changed in place
            found = _on_device(values, like.dtype, like.device).clone()
        return found.view(1, -1, *[1] * (like.ndim - 2))


@lru_cache(maxsize=64)
def _on_device(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Numbers as a tensor, copied to a device once instead of in every step."""
    with torch.inference_mode(False):  # trainings get the same tensor as predictions
        return _tensor(values, dtype, device)


def _tensor(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.as_tensor(values, dtype=dtype, device=device)


def at_least_float32(values: Tensor) -> Tensor:
    """The numbers in float32, or unchanged in float64: counts are never kept in half precision."""
    return values if values.dtype == torch.float64 else values.float()


def of_same_channels(observation: Tensor, signal: Tensor) -> tuple[Tensor, Tensor]:
    """Noisy and clean counts [b c (z) y x], in at least float32; a single channel is not taken for several.

    Raises:
        ChannelCountError: they have different numbers of channels.
    """
    if observation.shape[1] != signal.shape[1]:
        raise ChannelCountError(
            f"noise model: the observation has {observation.shape[1]} channels, the signal "
            f"{signal.shape[1]}. Give both with all channels."
        )
    return at_least_float32(observation), at_least_float32(signal)
