"""KL scheme: nats per image pixel, as in denoiSplit."""

import attrs
from torch import Tensor

from denoisplit.core.network.latent import Level
from denoisplit.plugins.kl_schemes.reduction import PerLevel, RateOptions, SumOverLevels, not_negative


class DenoiSplitKL(SumOverLevels):
    r"""The KL of the denoiSplit paper, in nats per image pixel.

    .. math:: R = \frac{1}{N} \sum_i \operatorname{mean}_b \max(K_{bi}, f)

    with :math:`K_{bi}` the KL of level i of image b summed over all its latent scalars, and N pixels per
    image. Every level weighs the same: a nat is a nat. The mean KL per latent scalar of level i therefore has
    the weight :math:`n_i / N` (latent scalars per pixel: 32, 8, 2, 0.5 for 128 latent channels). With a
    distortion that is averaged over C channels, this is a beta-VAE with beta = C.

    Source: Ashesh & Jug, denoiSplit, ECCV 2024; method section 3.2.
    """

    @attrs.frozen(kw_only=True)
    class Options(RateOptions):
        """Options of the rate."""

        free_bits: PerLevel = attrs.field(default=1.0, validator=not_negative)

    options: Options

    def per_level(self, levels: tuple[Level, ...], *, image_pixels: int, channels: int) -> Tensor:
        """Nats per pixel."""
        del channels
        return self.floored(self.sums(levels)) / image_pixels
