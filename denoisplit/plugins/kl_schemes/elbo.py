"""KL scheme: nats per image pixel and channel, the evidence lower bound."""

import attrs
from torch import Tensor

from denoisplit.core.network.latent import Level
from denoisplit.plugins.kl_schemes.reduction import RateOptions, SumOverLevels


class ElboKL(SumOverLevels):
    r"""The KL of the evidence lower bound, in nats per image pixel and channel.

    .. math:: R = \frac{1}{N C} \sum_i \operatorname{mean}_b \max(K_{bi}, f)

    with :math:`K_{bi}` the KL of level i of image b summed over all its latent scalars, N pixels per image
    and C target channels. Together with a distortion that is averaged over pixels and channels, the loss is
    the negative evidence lower bound divided by N C: beta = 1 at every level.

    Source: Kingma & Welling, ICLR 2014; method section 3.4.
    """

    unit = "nats per image pixel and channel"

    @attrs.frozen(kw_only=True)
    class Options(RateOptions):
        """Options of the rate."""

    options: Options

    def per_level(self, levels: tuple[Level, ...], *, image_pixels: int, channels: int) -> Tensor:
        """Nats per pixel and channel."""
        return self.floored(self.sums(levels)) / (image_pixels * channels)
