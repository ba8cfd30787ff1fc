"""KL scheme: the evidence lower bound with a multiplier that keeps the distortion at a target."""

from typing import Final, final

import attrs
import torch
from attrs.validators import and_, ge, gt, lt
from torch import Tensor

from denoisplit.core.network.latent import Level
from denoisplit.plugins.kl_schemes.reduction import RateOptions, SumOverLevels

_FARTHEST: Final = 14.0
"""Limit of the logarithm of the multiplier; a target that cannot be met leaves the multiplier at 1e-6."""


@final
class GecoKL(SumOverLevels):
    r"""The rate of ``elbo``, times a multiplier that keeps the distortion at a target.

    .. math:: R = \frac{m}{N C} \sum_i \operatorname{mean}_b \max(K_{bi}, f), \qquad
        \ln m \leftarrow \ln m - a \, \overline{(D - D_0)}

    with the distortion D of a training step, its target :math:`D_0`, and the moving average of the difference
    over the steps; m begins at 1. While the distortion is above its target, the rate gets cheaper; below, it
    costs more, so that latents carry no more than the target requires. m is the inverse of the source's
    Lagrange multiplier, by which the whole objective is divided here. It starts to change when the warm-up of
    the weight is over, and is saved with the weights.

    Source: Rezende & Viola, Taming VAEs, 2018, algorithm 1.
    """

    unit = "nats per image pixel and channel"

    @attrs.frozen(kw_only=True)
    class Options(RateOptions):
        """Options of the rate.

        Attributes:
            distortion: target of the distortion, nats per pixel and channel; a training with ``elbo`` shows
                which values can be reached.
            speed: decrease of the logarithm of the multiplier in a step, per nat above the target.
            smoothing: share of the moving average that is kept in a step.
        """

        distortion: float = 3.0
        speed: float = attrs.field(default=0.01, validator=gt(0))
        smoothing: float = attrs.field(default=0.99, validator=and_(ge(0), lt(1)))

    options: Options
    log_multiplier: Tensor
    average: Tensor
    seen: Tensor

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        for name in ("log_multiplier", "average", "seen"):
            self.register_buffer(name, torch.zeros(()))

    def per_level(self, levels: tuple[Level, ...], *, image_pixels: int, channels: int) -> Tensor:
        """Nats per pixel and channel, times the multiplier."""
        sums = self.floored(self.sums(levels))
        return self.log_multiplier.to(sums).exp() * sums / (image_pixels * channels)

    def observe(self, *, step: int, distortion: Tensor, rate: Tensor) -> None:
        """Move the multiplier towards the value that keeps the distortion at its target."""
        del step, rate
        left = self.options.smoothing * self.seen
        violation = distortion.to(self.average) - self.options.distortion
        self.average.copy_(left * self.average + (1 - left) * violation)
        self.log_multiplier.sub_(self.options.speed * self.average).clamp_(-_FARTHEST, _FARTHEST)
        self.seen.fill_(1)
