"""KL scheme: a blend of the rates of denoiSplit and muSplit, as in MicroSplit."""

import math
from collections.abc import Sequence

import attrs
import torch
from attrs.validators import ge, le
from torch import Tensor

from denoisplit.core.network.latent import Level, divergence, level_numbers
from denoisplit.plugins.kl_schemes.reduction import (
    PerLevel,
    RateOptions,
    SumOverLevels,
    latent_scalars,
    not_negative,
    on_hierarchy,
)


class MicroSplitKL(SumOverLevels):
    r"""The KL of MicroSplit: a weighted sum of nats per image pixel and nats per latent scalar.

    .. math::
        R = \frac{a}{N} \sum_i \operatorname{mean}_b \max(K'_{bi}, f)
        + \frac{1 - a}{L} \sum_i \operatorname{mean}_b K_{bi} / n_i

    with :math:`K_{bi}` the KL of level i of image b summed over its :math:`n_i` latent scalars, N pixels per
    image, L levels that have a latent, and :math:`K'_{bi}` the same sum over the centre of the level only:
    the positions that lie over the image, one per :math:`2^{i+1}` pixels. Without lateral context a level has
    no other positions and the two are equal. The annealing of the reference, which squares the ramp and so
    misses its final weight, is not reproduced.

    Source: Ashesh et al., MicroSplit, 2025; CAREamics; method section 12.2.
    """

    unit = "nats per image pixel, blended with nats per latent scalar"

    @attrs.frozen(kw_only=True)
    class Options(RateOptions):
        """Options of the rate.

        Attributes:
            share: weight of the denoiSplit rate, 0 to 1; the muSplit rate has the rest.
            restricted: whether the denoiSplit rate leaves out latents beside the image, which two-dimensional
                lateral context adds.
            free_bits: floor of the KL of every level of every image in the denoiSplit rate, nats; 0 for none.
                Several numbers: one per level, finest first.
        """

        share: float = attrs.field(default=0.9, validator=[ge(0), le(1)])
        restricted: bool = True
        free_bits: PerLevel = attrs.field(default=1.0, validator=not_negative)

    options: Options

    def per_level(self, levels: tuple[Level, ...], *, image_pixels: int, channels: int) -> Tensor:
        """Weighted sum of the two rates."""
        del channels
        maps = [divergence(level, analytic=self.options.analytic) for level in levels]
        full = _sums(maps, levels)
        near = centres(maps, image_pixels, level_numbers(levels)) if self.options.restricted else maps
        over_image = _sums(near, levels) if self.options.restricted else full
        per_pixel = self.floored(over_image) / image_pixels
        per_scalar = (full / latent_scalars(levels, full)).mean(0)
        share = self.options.share
        return share * per_pixel + (1 - share) * per_scalar / len(levels)


def centres(maps: list[Tensor], image_pixels: int, numbers: Sequence[int] = ()) -> list[Tensor]:
    """Cut two-dimensional maps to the part that lies over the image.

    The sides of the image follow from its number of pixels and the proportions of the finest level. Where
    level i is larger than the image at one position per ``2^(i+1)`` pixels, the same is cut from both ends.

    Args:
        maps: [b k y x] per level, finest first; volumes [b k z y x] are returned as they are.
        image_pixels: pixels of one image.
        numbers: number of each level; empty for 0, 1 and so on.

    Source: CAREamics, ``kl_restricted``; method section 12.2.
    """
    if maps[0].ndim != 4:
        return maps
    finest = maps[0].shape[2:]
    scale = math.sqrt(image_pixels / math.prod(finest))
    cut = []
    for index, values in zip(numbers or range(len(maps)), maps, strict=True):
        wanted = [max(1, round(side * scale) // 2 ** (index + 1)) for side in finest]
        margins = [max(0, have - want) // 2 for have, want in zip(values.shape[2:], wanted, strict=True)]
        rows, columns = (slice(m, n - m) for m, n in zip(margins, values.shape[2:], strict=True))
        cut.append(values[:, :, rows, columns])
    return cut


def _sums(maps: list[Tensor], levels: Sequence[Level]) -> Tensor:
    """Sum of every map over latent channels and positions, [b levels]."""
    return on_hierarchy(torch.stack([values.flatten(1).sum(1) for values in maps], dim=1), levels)
