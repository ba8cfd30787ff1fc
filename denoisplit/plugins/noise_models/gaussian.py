"""Noise model: a Gaussian whose variance the network predicts, or a fixed one."""

import math
from typing import Literal

import attrs
import torch
from attrs.validators import gt, in_
from torch import Tensor

from denoisplit.core.network.interfaces import IntensityStats, NoiseModel
from denoisplit.core.network.units import at_least_float32, of_same_channels
from denoisplit.plugins.noise_models.requirements import required_maps

LogVariance = Literal["pixel", "channel", "global", "fixed"]

_LOWEST = -60.0
"""Floor where none is given: keeps the precision, exp(-log-variance), finite in float32."""


def pooled_log_variance(raw: Tensor, mode: LogVariance, floor: float | None) -> Tensor:
    """Turn the raw maps of the network into the log-variance to use.

    Args:
        raw: [b c (z) y x], log of variances in normalised units.
        mode: ``pixel`` keeps the maps, ``channel`` averages over space, ``global`` over space and channels.
        floor: lower bound, applied after averaging; None for none.

    Returns:
        [b c (z) y x], [b c 1 ...] or [b 1 1 ...].

    Source: method section 2.1.
    """
    if mode == "channel":
        raw = raw.mean(dim=tuple(range(2, raw.ndim)), keepdim=True)
    elif mode == "global":
        raw = raw.mean(dim=tuple(range(1, raw.ndim)), keepdim=True)
    return raw.clamp(min=_LOWEST if floor is None else floor)


class Gaussian(NoiseModel):
    r"""Gaussian noise around the signal.

    .. math::
        \log p(y \mid s) = -\tfrac12 \bigl((y - s)^2 / (\sigma_c^2 e^v) + v + \ln 2\pi\bigr) - \ln \sigma_c

    with v the log-variance in normalised units and :math:`\sigma_c` the std of the target channel in counts:
    a density in counts that differs from that in normalised units by :math:`\ln \sigma_c` only.

    Source: Ashesh et al., muSplit, ICCV 2023; method section 2.1.
    """

    @attrs.frozen(kw_only=True)
    class Options:
        """Options of the Gaussian.

        Attributes:
            log_variance: predicted per ``pixel``, averaged over each ``channel``, averaged over the image
                and its channels (``global``), or ``fixed`` to the given ``std``.
            log_variance_floor: smallest log-variance, ln of normalised units squared; None for no floor.
            std: std of the noise with ``fixed``, normalised units (1 is the std of the channel).
        """

        log_variance: LogVariance = attrs.field(
            default="pixel", validator=in_(("pixel", "channel", "global", "fixed"))
        )
        log_variance_floor: float | None = -5.0
        std: float = attrs.field(default=1.0, validator=gt(0))

    def __init__(self, options: Options, *, statistics: IntensityStats) -> None:
        super().__init__()
        self.options = options
        self.statistics = statistics
        self.extra_maps = 0 if options.log_variance == "fixed" else 1

    def log_prob(self, observation: Tensor, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        """Log-density of noisy counts; ``extra`` are raw log-variances in normalised units, if predicted."""
        observation, signal = of_same_channels(observation, signal)
        scale = self._scale(signal)
        log_variance = self._log_variance(signal, extra)
        squared = ((observation - signal) / scale).square()
        return -0.5 * (squared * (-log_variance).exp() + log_variance + math.log(2 * math.pi)) - scale.log()

    def sample(self, signal: Tensor, generator: torch.Generator, extra: Tensor | None = None) -> Tensor:
        """Noisy counts [b c (z) y x] for clean counts."""
        signal = at_least_float32(signal)
        noise = torch.randn(signal.shape, generator=generator, device=generator.device, dtype=signal.dtype)
        return signal + self.variance(signal, extra).sqrt() * noise.to(signal.device)

    def variance(self, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        """Variance of the observation [b c (z) y x], counts squared."""
        signal = at_least_float32(signal)
        return (self._scale(signal).square() * self._log_variance(signal, extra).exp()).expand_as(signal)

    def _scale(self, like: Tensor) -> Tensor:
        return self.statistics.per_channel(self.statistics.target_std, like)

    def _log_variance(self, signal: Tensor, extra: Tensor | None) -> Tensor:
        if self.options.log_variance == "fixed":
            return signal.new_tensor(2 * math.log(self.options.std))
        maps = required_maps(extra, signal, "gaussian", "log-variance maps", "log_variance: fixed")
        return pooled_log_variance(maps, self.options.log_variance, self.options.log_variance_floor)
