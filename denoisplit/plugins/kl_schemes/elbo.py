"""KL scheme: nats per image pixel and channel, the evidence lower bound."""

import attrs
from attrs.validators import ge
from torch import Tensor

from denoisplit.core.network.interfaces import KLScheme, Rate
from denoisplit.core.network.latent import Level
from denoisplit.plugins.kl_schemes.reduction import PerLevel, floored_mean, level_sums, not_negative, rate


class ElboKL(KLScheme):
    r"""The KL of the evidence lower bound, in nats per image pixel and channel.

    .. math:: R = \frac{1}{N C} \sum_i \operatorname{mean}_b \max(K_{bi}, f)

    with :math:`K_{bi}` the KL of level i of image b summed over all its latent scalars, N pixels per image
    and C target channels. Together with a distortion that is averaged over pixels and channels, the loss is
    the negative evidence lower bound divided by N C: beta = 1 at every level.

    Source: Kingma & Welling, ICLR 2014; method section 3.4.
    """

    unit = "nats per image pixel and channel"

    @attrs.frozen(kw_only=True)
    class Options:
        """Options of the rate.

        Attributes:
            free_bits: floor of the KL of every level of every image, nats; 0 for none.
                Several numbers are one per level, finest first.
            weight: multiplier of the rate that a warm-up ends at.
            analytic: closed form of the KL instead of the single-sample estimate.
        """

        free_bits: PerLevel = attrs.field(default=0.0, validator=not_negative)
        weight: float = attrs.field(default=1.0, validator=ge(0))
        analytic: bool = False

    options: Options

    def forward(self, levels: tuple[Level, ...], *, image_pixels: int, channels: int) -> Rate:
        """Rate of a batch; see the class for the unit.

        Args:
            levels: finest first; may be empty.
            image_pixels: pixels of one image.
            channels: target channels.

        Raises:
            SpecError: several free bits, but not one per level.
        """

        def contributions() -> Tensor:
            sums = level_sums(levels, analytic=self.options.analytic)
            return floored_mean(sums, self.options.free_bits) / (image_pixels * channels)

        return rate(levels, contributions)
