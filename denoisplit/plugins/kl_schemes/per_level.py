"""KL scheme: the evidence lower bound with one weight per level."""

import attrs
from torch import Tensor

from denoisplit.core.network.latent import Level
from denoisplit.plugins.kl_schemes.reduction import PerLevel, RateOptions, SumOverLevels, not_negative, spread


class PerLevelKL(SumOverLevels):
    r"""KL with one weight per level, in nats per image pixel and channel.

    .. math:: R = \frac{1}{N C} \sum_i \beta_i \operatorname{mean}_b \max(K_{bi}, f_i)

    with :math:`K_{bi}` the KL of level i of image b summed over all its latent scalars, N pixels per image
    and C target channels. The weights are the effective ones: all 1 is the scheme ``elbo``, all C the scheme
    ``denoisplit``, and :math:`C N / (L n_i)` for :math:`n_i` latent scalars the scheme ``musplit``.

    Source: Higgins et al., beta-VAE, ICLR 2017; method section 3.4.
    """

    unit = "nats per image pixel and channel"

    @attrs.frozen(kw_only=True)
    class Options(RateOptions):
        """Options of the rate.

        Attributes:
            level_weights: weight of a nat at each level, 1 as in the evidence lower bound; several numbers:
                one per level, finest first.
            free_bits: floor of the KL of every level of every image, nats, before weighting; 0 for none.
                Several numbers: one per level, finest first.
        """

        level_weights: PerLevel = attrs.field(default=1.0, validator=not_negative)

    options: Options

    def per_level(self, levels: tuple[Level, ...], *, image_pixels: int, channels: int) -> Tensor:
        """Weighted nats per pixel and channel."""
        sums = self.floored(self.sums(levels))
        weights = spread(self.options.level_weights, len(sums), "level_weights")
        return sums * sums.new_tensor(weights) / (image_pixels * channels)
