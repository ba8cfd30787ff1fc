"""KL scheme: the evidence lower bound with weights that fall, or grow, from level to level."""

import attrs
import torch
from attrs.validators import ge, gt
from denoisplit.core.network.interfaces import KLScheme, Rate
from denoisplit.core.network.latent import Level, level_sums


class GeometricKL(KLScheme):
    r"""KL whose weight changes by a constant factor from each level to the next coarser one.

    .. math:: R = \frac{1}{N C} \sum_i q^i \operatorname{mean}_b K_{bi}

    with :math:`K_{bi}` the KL of level i of image b summed over all its latent scalars, N pixels per image
    and C target channels; q = 1 is the evidence lower bound. Multiplied electrons look like structure of a
    single pixel, which only the finest level can draw: with q < 1 that level pays most, and shapes are cheap.

    Source: Higgins et al., ICLR 2017.
    """

    unit = "weighted nats per image pixel and channel"

    @attrs.frozen(kw_only=True)
    class Options:
        """Options of the rate.

        Attributes:
            ratio: weight of a nat of a level in units of that of the next finer one; the finest weighs 1.
            weight: multiplier of the rate that a warm-up ends at.
            analytic: closed form of the KL instead of the single-sample estimate.
        """

        ratio: float = attrs.field(default=0.5, validator=gt(0))
        weight: float = attrs.field(default=1.0, validator=ge(0))
        analytic: bool = False

    options: Options

    def forward(self, levels: tuple[Level, ...], *, image_pixels: int, channels: int) -> Rate:
        """Rate of a batch; see the class for the unit.

        Args:
            levels: finest first; may be empty.
            image_pixels: pixels of one image.
            channels: target channels.
        """
        if not levels:
            return Rate(torch.zeros(()), torch.zeros(0))
        sums = level_sums(levels, analytic=self.options.analytic).mean(0)
        weights = sums.new_tensor([self.options.ratio**index for index in range(len(levels))])
        per_level = weights * sums / (image_pixels * channels)
        return Rate(per_level.sum(), per_level)
