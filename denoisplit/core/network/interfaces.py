"""The abstract bases of the network's components, complete for plugin authors.

A component is a final class with a nested frozen attrs class ``Options`` (one validator and one unit per
field) and a constructor ``__init__(self, options, *, <what the composer knows>)``. Axes: b batch, c channel,
(z) y x space.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import attrs
import torch
from torch import Tensor, nn

from denoisplit.core.arrays import FloatArray, Window
from denoisplit.core.errors import SpecError
from denoisplit.core.network.calibration import (
    AnyCalibrator,
    Calibration,
    Calibrator,
    FieldCalibrator,
    FieldSums,
    IntervalCalibrator,
    MeanCalibrator,
    SumCalibrator,
    SumInterval,
)
from denoisplit.core.network.feature_shape import FeatureShape
from denoisplit.core.network.latent import Level
from denoisplit.core.network.noise_fit import FitReport, NoisePairs
from denoisplit.core.network.noise_source import NoiseSource
from denoisplit.core.network.units import IntensityStats

Features = tuple[Tensor, ...]
"""Deterministic features, one tensor [b f (z) y x] per level, level 0 (finest) first."""


@attrs.frozen
class Decoded:
    """Output of a decoder.

    Attributes:
        output: [b maps (z) y x] in normalised units; the first c maps are the signal of the c channels.
        levels: one record per level with a latent, finest first; empty for a decoder without latents. The
            core finds out which levels these are from the noise that was requested.
    """

    output: Tensor
    levels: tuple[Level, ...]


class Encoder(nn.Module, ABC):
    """Bottom-up path: mixed image to features per level.

    Constructor: ``__init__(self, options, *, spatial_rank: int, in_channels: int)``.
    """

    @property
    @abstractmethod
    def feature_shapes(self) -> tuple[FeatureShape, ...]:
        """Channels, total stride and extent of every level, finest first."""

    @property
    def input_scales(self) -> int:
        """Number of scales of the image that ``forward`` takes along the channel axis.

        Scale 0 is the image. Scale m > 0 has as many pixels around the same centre, each as large as a
        position of level m - 1.
        """
        return 1

    @abstractmethod
    def forward(self, mixed: Tensor) -> Features:
        """Features of a normalised mixed image [b i (z) y x] whose sides the coarsest stride divides."""


class Decoder(nn.Module, ABC):
    """Top-down path: features and latent noise to the target channels.

    Constructor: ``__init__(self, options, *, feature_shapes: tuple[FeatureShape, ...], out_maps: int,
    patch: tuple[int, ...])`` where ``patch`` is the training patch in pixels. The last layer is its part
    ``output``, so that a training that starts from another run knows its maps. Pure: the same features and
    the same noise give the same output in evaluation mode. Levels with a latent ask for noise by their
    number.
    """

    @abstractmethod
    def forward(self, features: Features, noise: NoiseSource, *, window: Window = ()) -> Decoded:
        """Decode with posterior and prior of every level that has a latent (training).

        ``window`` is the part of a padded image that is the image itself: the output is cut to it before the
        last layer, which would otherwise see padding at its border. Empty for the whole.
        """

    def sample(self, features: Features, noise: NoiseSource) -> Tensor:
        """Output maps only (prediction); by default those of ``forward``.

        A decoder that can skip what only the rate needs, such as priors, predicts faster.
        """
        decoded: Decoded = self(features, noise)
        return decoded.output

    def generate(self, shape: tuple[int, ...], noise: NoiseSource, *, batch: int) -> Tensor:
        """Output maps drawn from the prior for an image of ``shape`` (multiples of the coarsest stride).

        Raises:
            SpecError: there is no prior to draw from (the default).
        """
        del shape, noise, batch
        raise SpecError(
            f"model.decoder: there is no prior to draw images from (got {type(self).__name__}). "
            f"Use the decoder ladder."
        )


class NoiseModel(nn.Module, ABC):
    """Likelihood of noisy counts given clean counts, for all target channels at once.

    Constructor: ``__init__(self, options, *, statistics: IntensityStats)``. Works in detector counts.
    The noise of a channel follows from its own statistics and pairs, whatever other channels have.
    ``extra`` holds ``extra_maps`` raw network maps per channel [b c*extra_maps (z) y x] (dimensionless) for
    models whose parameters are predicted; models with ``extra_maps == 0`` get None. ``is_density`` says
    whether ``exp(log_prob)`` integrates to 1 over the observation; False for a composite likelihood.
    """

    extra_maps: int = 0
    is_density: bool = True

    @abstractmethod
    def log_prob(self, observation: Tensor, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        """Log-density of noisy counts given clean counts.

        Args:
            observation: [b c (z) y x], counts.
            signal: [b c (z) y x], counts.
            extra: maps of the network; see the class.

        Returns:
            [b c (z) y x], nats per pixel, always finite; float64 for float64 input, else float32.

        Raises:
            NoiseModelError: not fitted yet, or ``extra`` is missing.
            ChannelCountError: another number of channels.
        """

    @abstractmethod
    def sample(self, signal: Tensor, generator: torch.Generator, extra: Tensor | None = None) -> Tensor:
        """Noisy counts drawn for clean counts [b c (z) y x]; raises as ``log_prob``."""

    @abstractmethod
    def variance(self, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        """Variance of noisy counts at clean counts [b c (z) y x], counts squared; raises as ``log_prob``."""

    def signal_variance(self, signal: Tensor, extra: Tensor | None = None) -> Tensor | None:
        """Variance of the clean signal around the decoded ``signal`` [b c (z) y x], counts squared.

        For models with maps of the network that say how far a pixel may be off. It is part of ``variance``
        and of the predicted std, and samples are drawn with it; that of a pixel follows from its own maps,
        and vanishes where they are far below 0. None (the default) for models that take the decoded signal
        for the clean one.
        """
        del signal, extra
        return None

    def bias(self, signal: Tensor) -> Tensor:
        """Mean of the observation minus the signal at clean counts [b c (z) y x], counts; by default 0."""
        return torch.zeros_like(signal)

    @property
    def needs_fit(self) -> bool:
        """Whether ``fit`` has to be called before ``log_prob``; by default not."""
        return False

    def fit(self, pairs: Sequence[NoisePairs], *, seed: int) -> tuple[FitReport, ...]:
        """Fit to pairs, one entry per channel; deterministic given ``seed``. By default nothing to fit.

        Raises:
            ChannelCountError: another number of pairs than channels.
            NoiseModelError: the pairs cannot be right (swapped, constant, mismatched, too narrow or too few),
                or files that the options name cannot be read.
        """
        del pairs, seed
        return ()

    def concerns(self) -> tuple[tuple[int, str], ...]:
        """Warnings about changes that training with the network made to trainable parameters.

        Returns:
            Index of a channel and one sentence each; empty for a model that is only changed by ``fit``.
        """
        return ()


@attrs.frozen
class Rate:
    """Rate of a KL scheme, in nats per image pixel (or the unit that the scheme declares).

    Attributes:
        total: sum over the levels, scalar.
        per_level: one number per latent, finest first; sums to ``total``.
    """

    total: Tensor
    per_level: Tensor


class KLScheme(nn.Module, ABC):
    """Combination of the levels' KL divergences to one rate.

    Attributes:
        options: the options, as given.
        weight: multiplier of the rate after a warm-up: that of the options, 1 without one.
        unit: unit of the rate.
    """

    options: Any
    weight: float
    unit: str = "nats per image pixel"

    def __init__(self, options: Any = None) -> None:
        super().__init__()
        if options is not None:
            self.options = options
        self.weight = getattr(options, "weight", 1.0)

    @abstractmethod
    def forward(self, levels: tuple[Level, ...], *, image_pixels: int, channels: int) -> Rate:
        """Rate of a batch; ``image_pixels`` is the number of pixels of one image in it.

        If some levels of the encoder have no latent, ``Level.index`` is the number of the level.
        """

    def observe(self, *, step: int, distortion: Tensor, rate: Tensor) -> None:
        """Learn from a training step, after its loss and once a warm-up of the weight is over.

        By default nothing is learned. Learned numbers belong in buffers: these are saved with the weights and
        in resume points, so that an interrupted training continues unchanged.

        Args:
            step: number of the step, from 0.
            distortion: distortion of the batch, nats per pixel and channel; a scalar without gradient.
            rate: rate of the batch from ``forward``; a scalar without gradient.
        """
        del step, distortion, rate


__all__ = [
    "AnyCalibrator",
    "Calibration",
    "Calibrator",
    "Decoded",
    "Decoder",
    "Encoder",
    "FeatureShape",
    "Features",
    "FieldCalibrator",
    "FieldSums",
    "FitReport",
    "FloatArray",
    "IntensityStats",
    "IntervalCalibrator",
    "KLScheme",
    "MeanCalibrator",
    "NoiseModel",
    "NoisePairs",
    "Rate",
    "SumCalibrator",
    "SumInterval",
    "Window",
]
