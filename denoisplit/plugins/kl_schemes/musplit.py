"""KL scheme: nats per latent scalar, as in muSplit."""

import attrs
from torch import Tensor

from denoisplit.core.network.latent import Level
from denoisplit.plugins.kl_schemes.reduction import (
    RateOptions,
    SumOverLevels,
    latent_scalars,
)


class MuSplitKL(SumOverLevels):
    r"""The KL of the muSplit paper, in nats per latent scalar, averaged over the levels.

    .. math:: R = \frac{1}{L} \sum_i \operatorname{mean}_b \max(K_{bi} / n_i, f)

    with :math:`K_{bi}` the KL of level i of image b summed over its :math:`n_i` latent scalars, and L levels
    that have a latent. The mean KL per latent scalar has the weight 1/L at each level, so that a nat of a
    fine level weighs less than one of a coarse level: effective beta 1/64, 1/16, 1/4, 1 for four levels of
    128 latent channels and two target channels. Free bits near the usual KL per scalar (well below 1) switch
    the rate off.

    Source: Ashesh et al., muSplit, ICCV 2023; method section 3.3.
    """

    unit = "nats per latent scalar"

    @attrs.frozen(kw_only=True)
    class Options(RateOptions):
        """Options of the rate.

        Attributes:
            free_bits: floor of the KL of every level of every image, nats per latent scalar; 0 for none.
                Several numbers: one per level, finest first.
        """

    options: Options

    def per_level(self, levels: tuple[Level, ...], *, image_pixels: int, channels: int) -> Tensor:
        """Nats per latent scalar, divided by the number of latents."""
        del image_pixels, channels
        sums = self.sums(levels)
        return self.floored(sums / latent_scalars(levels, sums)) / len(levels)
