"""Noise model: a mixture around a signal that the network predicts with a variance of its own."""

import math
from collections.abc import Sequence
from typing import Final

import attrs
import torch
from attrs.validators import gt
from torch import Tensor

from denoisplit.core.network.interfaces import FitReport, IntensityStats, NoiseModel, NoisePairs
from denoisplit.core.network.units import at_least_float32
from denoisplit.plugins.noise_models.gaussian_mixture import GaussianMixture
from denoisplit.plugins.noise_models.requirements import required_maps

_LIMITS: Final = (-20.0, 10.0)
"""Bounds of a map, a logarithm, so that the noise is not lost beside the variance in single precision."""


class SpreadMixture(NoiseModel):
    r"""Camera noise around a clean signal that is Gaussian around the decoded one.

    .. math:: p(y \mid s, v) = \sum_k \pi_k(s)\, \mathcal N(y; \mu_k(s), v_k(s) + v)

    with the mixture of ``gaussian_mixture`` and, for every pixel, the variance
    :math:`v = f\, \sigma_c^2\, e^m` from a map m of the network, where :math:`\sigma_c` is the std of the
    channel and f the option ``first``. Noise alone explains how far an observation lies from the clean
    signal; v learns how far the decoded one does: where the network cannot tell whose light it is, it says
    so. v is part of the predicted std, and samples are drawn with it, each pixel by itself. The noise is
    evaluated at the decoded signal.

    Source: Kendall & Gal, NeurIPS 2017 (the variance), Prakash et al., ISBI 2020 (the mixture).
    """

    extra_maps = 1

    @attrs.frozen(kw_only=True)
    class Options:
        """Options of the mixture with a spread.

        Attributes:
            mixture: options of ``gaussian_mixture``.
            first: variance where the map is 0, as nearly everywhere before the training, as a share of the
                variance of the channel.
        """

        mixture: GaussianMixture.Options = attrs.field(factory=GaussianMixture.Options)
        first: float = attrs.field(default=0.02, validator=gt(0))

    def __init__(self, options: Options, *, statistics: IntensityStats) -> None:
        super().__init__()
        self.options = options
        self.statistics = statistics
        self.noise = GaussianMixture(options.mixture, statistics=statistics)

    @property
    def needs_fit(self) -> bool:
        """Whether the mixture has to be fitted."""
        return self.noise.needs_fit

    def fit(self, pairs: Sequence[NoisePairs], *, seed: int) -> tuple[FitReport, ...]:
        """Fit the mixture; raises as ``GaussianMixture.fit``."""
        return self.noise.fit(pairs, seed=seed)

    def concerns(self) -> tuple[tuple[int, str], ...]:
        """Return the concerns of the mixture."""
        return self.noise.concerns()

    def log_prob(self, observation: Tensor, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        """Log-density of noisy counts; ``extra`` holds the map m of every channel."""
        return self.noise.log_prob_around(observation, signal, self.signal_variance(signal, extra))

    def sample(self, signal: Tensor, generator: torch.Generator, extra: Tensor | None = None) -> Tensor:
        """Noisy counts [b c (z) y x] for decoded counts."""
        signal = at_least_float32(signal)
        normal = torch.randn(signal.shape, generator=generator, device=generator.device, dtype=signal.dtype)
        around = self.signal_variance(signal, extra).sqrt() * normal.to(signal.device)
        return self.noise.sample(signal, generator) + around

    def variance(self, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        """Variance of the observation around the decoded signal [b c (z) y x], counts squared."""
        return self.noise.variance(signal) + self.signal_variance(signal, extra)

    def signal_variance(self, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        """Return v [b c (z) y x], counts squared."""
        signal = at_least_float32(signal)
        maps = required_maps(extra, signal, "spread_mixture", "maps of the spread", "gaussian_mixture")
        scale = self.statistics.per_channel(self.statistics.target_std, signal)
        return scale.square() * (maps.clamp(*_LIMITS) + math.log(self.options.first)).exp()
