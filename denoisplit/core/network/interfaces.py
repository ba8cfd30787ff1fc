"""The abstract bases of the network's components. Everything a plugin author needs is on this page.

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

from denoisplit.core.arrays import FloatArray, IntArray, Window
from denoisplit.core.errors import SpecError
from denoisplit.core.network.calibration import (
    AnyCalibrator,
    Calibration,
    Calibrator,
    FieldSums,
    IntervalCalibrator,
    MeanCalibrator,
    SumCalibrator,
    SumInterval,
)
from denoisplit.core.network.feature_shape import FeatureShape
from denoisplit.core.network.latent import Level
from denoisplit.core.network.noise_source import NoiseSource
from denoisplit.core.network.units import IntensityStats

Features = tuple[Tensor, ...]
"""Deterministic features, one tensor [b f (z) y x] per level, level 0 (finest) first."""


@attrs.frozen
class Decoded:
    """What a decoder returns.

    Attributes:
        output: [b maps (z) y x] in normalised units; the first c maps are the signal of the c channels.
        levels: one record per level that has a latent, finest first; empty for a decoder without latents. The
            core finds which levels these are from the noise that was asked for.
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
        """Scales in which ``forward`` takes the image, along the channel axis.

        Scale 0 is the image. Scale m > 0 has as many pixels around the same centre, each as large as a
        position of level m - 1.
        """
        return 1

    @abstractmethod
    def forward(self, mixed: Tensor) -> Features:
        """Features of a normalised mixed image [b i (z) y x] with sides that the coarsest stride divides."""


class Decoder(nn.Module, ABC):
    """Top-down path: features and latent noise to the target channels.

    Constructor: ``__init__(self, options, *, feature_shapes: tuple[FeatureShape, ...], out_maps: int,
    patch: tuple[int, ...])`` where ``patch`` is the training patch in pixels. Pure: the same features and the
    same noise give the same output in evaluation mode. Levels with a latent ask for noise by their number.
    """

    @abstractmethod
    def forward(self, features: Features, noise: NoiseSource, *, window: Window = ()) -> Decoded:
        """Decode with posterior and prior of every level that has a latent (training).

        Of a padded image, ``window`` is the image: the output is cut to it before the last layer, which
        otherwise would see padding at its border. Empty for all of it.
        """

    def sample(self, features: Features, noise: NoiseSource) -> Tensor:
        """Output maps only (prediction), by default those of ``forward``.

        A decoder that can leave out what only the rate needs, such as priors, predicts faster.
        """
        decoded: Decoded = self(features, noise)
        return decoded.output

    def generate(self, shape: tuple[int, ...], noise: NoiseSource, *, batch: int) -> Tensor:
        """Output maps drawn from the prior for an image of ``shape`` (multiples of the coarsest stride).

        Raises:
            SpecError: there is no prior to draw from (the default).
        """
        del shape, noise, batch
        problem = (
            f"model.decoder: there is no prior to draw images from (got {type(self).__name__}). "
            f"Use the decoder ladder."
        )
        raise SpecError([problem])


@attrs.frozen
class NoisePairs:
    """Clean signal and noisy observation of the same pixels, for fitting a noise model.

    Attributes:
        signal: 1-D, detector counts.
        observation: 1-D of the same length, detector counts.
        origin: how the pairs were obtained, for messages (``clean reference``, ``repeats``, ``bootstrap``).
        step: smallest difference of two values of the images, counts (1 for integers), where the observations
            do not show it because they were rescaled; else 0.
        place: row and column [2 pairs] in the image as the camera recorded it, for models with maps of a
            camera; else None.
    """

    signal: FloatArray
    observation: FloatArray
    origin: str = "pairs"
    step: float = 0.0
    place: IntArray | None = None


@attrs.frozen
class FitReport:
    """How well a noise model fits one channel.

    Attributes:
        channel: index of the channel.
        pairs: number of pairs used.
        nll: mean negative log-likelihood, nats per pixel.
        calibration_error: largest distance of the probability integral transform from uniform, 0 to 1.
        warnings: what the user should know, one sentence each.
    """

    channel: int
    pairs: int
    nll: float
    calibration_error: float
    warnings: tuple[str, ...] = ()


class NoiseModel(nn.Module, ABC):
    """Likelihood of noisy counts given clean counts, for all target channels at once.

    Constructor: ``__init__(self, options, *, statistics: IntensityStats)``. Works in detector counts.
    ``extra`` holds ``extra_maps`` raw network maps per channel [b c*extra_maps (z) y x] (dimensionless) for
    models whose parameters are predicted; models with ``extra_maps == 0`` get None. ``is_density`` says that
    ``exp(log_prob)`` integrates to 1 over the observation; a composite likelihood says False.
    """

    extra_maps: int = 0
    is_density: bool = True

    @abstractmethod
    def log_prob(self, observation: Tensor, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        """Log-density of noisy counts [b c (z) y x] given clean counts.

        Returns:
            Same shape, nats per pixel, always finite.
        """

    @abstractmethod
    def sample(self, signal: Tensor, generator: torch.Generator, extra: Tensor | None = None) -> Tensor:
        """Noisy counts drawn for clean counts [b c (z) y x]."""

    @abstractmethod
    def variance(self, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        """Variance of the observation at clean counts [b c (z) y x], counts squared."""

    def bias(self, signal: Tensor) -> Tensor:
        """Mean of the observation minus the signal at clean counts [b c (z) y x], counts; by default none."""
        return torch.zeros_like(signal)

    @property
    def needs_fit(self) -> bool:
        """Whether ``fit`` has to be called before ``log_prob``; by default not."""
        return False

    def fit(self, pairs: Sequence[NoisePairs], *, seed: int) -> tuple[FitReport, ...]:
        """Fit to pairs, one entry per channel; deterministic given ``seed``. By default nothing to fit.

        Raises:
            NoiseModelError: the pairs cannot be right (swapped, constant, too narrow).
        """
        del pairs, seed
        return ()

    def concerns(self) -> tuple[tuple[int, str], ...]:
        """What training with the network did to trainable parameters that the user should know.

        Returns:
            Index of a channel and one sentence each; empty for a model that only ``fit`` changes.
        """
        return ()


@attrs.frozen
class Rate:
    """What a KL scheme returns, in nats per image pixel (or the unit the scheme declares).

    Attributes:
        total: scalar.
        per_level: one number per latent, finest first; sums to ``total``.
    """

    total: Tensor
    per_level: Tensor


class KLScheme(nn.Module, ABC):
    """How the KL divergences of the levels become one rate.

    Attributes:
        options: as given.
        weight: multiplier of the rate that a warm-up ends at: that of the options, 1 without.
        unit: of the rate.
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
        """Rate of a batch; ``image_pixels`` is the number of pixels of one image of it.

        Some levels of the encoder may have no latent: ``Level.index`` then is the number of the level.
        """

    def observe(self, *, step: int, distortion: Tensor, rate: Tensor) -> None:
        """Learn from a training step, after its loss and as soon as a warm-up of the weight is over.

        By default nothing is learned. What is belongs in buffers: they are saved with the weights and in
        resume points, so that a training that was interrupted goes on as if it had not been.

        Args:
            step: number of the step, from 0.
            distortion: of the batch, nats per pixel and channel; a scalar without gradient.
            rate: of the batch, as ``forward`` gave it; a scalar without gradient.
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
