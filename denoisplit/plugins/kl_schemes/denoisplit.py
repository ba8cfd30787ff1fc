"""KL scheme: nats per image pixel, as in denoiSplit."""

import attrs
from attrs.validators import ge
from torch import Tensor

from denoisplit.core.network.interfaces import KLScheme, Rate
from denoisplit.core.network.latent import Level
from denoisplit.plugins.kl_schemes.reduction import PerLevel, floored_mean, level_sums, not_negative, rate


class DenoiSplitKL(KLScheme):
    r"""The KL of the denoiSplit paper, in nats per image pixel.

    .. math:: R = \frac{1}{N} \sum_i \operatorname{mean}_b \max(K_{bi}, f)

    with :math:`K_{bi}` the KL of level i of image b summed over all its latent scalars, and N pixels per
    image. Every level weighs the same: a nat is a nat. The mean KL per latent scalar of level i therefore has
    the weight :math:`n_i / N` (latent scalars per pixel: 32, 8, 2, 0.5 for 128 latent channels). Beside a
    distortion that is averaged over C channels, this is a beta-VAE with beta = C.

    Source: Ashesh & Jug, denoiSplit, ECCV 2024; method section 3.2.
    """

    @attrs.frozen(kw_only=True)
    class Options:
        """Options of the rate.

        Attributes:
            free_bits: floor of the KL of every level of every image, nats; 0 for none.
                Several numbers are one per level, finest first.
            weight: multiplier of the rate that a warm-up ends at.
            analytic: closed form of the KL instead of the single-sample estimate.
        """

        free_bits: PerLevel = attrs.field(default=1.0, validator=not_negative)
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
        del channels

        def contributions() -> Tensor:
            sums = level_sums(levels, analytic=self.options.analytic)
            return floored_mean(sums, self.options.free_bits) / image_pixels

        return rate(levels, contributions)
