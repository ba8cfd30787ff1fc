"""KL scheme: the evidence lower bound with a multiplier that goes up and down."""

import attrs
import torch
from attrs.validators import gt
from torch import Tensor

from denoisplit.core.network.interfaces import KLScheme, Rate
from denoisplit.core.network.latent import Level, level_sums


class Thermostat(KLScheme):
    """The rate gets cheaper after a step whose distortion is above the target, and dearer after one below."""

    unit = "nats per image pixel and channel"

    @attrs.frozen(kw_only=True)
    class Options:
        """Options of the rate.

        Attributes:
            target: of the distortion, nats per pixel and channel.
            stride: of the logarithm of the multiplier in a step, at most.
        """

        target: float = 4.0
        stride: float = attrs.field(default=0.02, validator=gt(0))

    options: Options
    log_multiplier: Tensor

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.register_buffer("log_multiplier", torch.zeros(()))

    def forward(self, levels: tuple[Level, ...], *, image_pixels: int, channels: int) -> Rate:
        """Rate of a batch."""
        if not levels:
            return Rate(torch.zeros(()), torch.zeros(0))
        sums = level_sums(levels, analytic=False).mean(0)
        per_level = self.log_multiplier.to(sums).exp() * sums / (image_pixels * channels)
        return Rate(per_level.sum(), per_level)

    def observe(self, *, step: int, distortion: Tensor, rate: Tensor) -> None:
        """One step up or down."""
        del step, rate
        above = torch.tanh(distortion - self.options.target).to(self.log_multiplier)
        self.log_multiplier.sub_(self.options.stride * above).clamp_(-9, 9)
