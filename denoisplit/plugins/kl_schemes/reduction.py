"""Shared parts of the KL schemes: free bits, numbers per level, and a rate that is a sum over the levels."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import attrs
import torch
from attrs.validators import and_, deep_iterable, ge, min_len, or_
from torch import Tensor

from denoisplit.core.errors import SpecError
from denoisplit.core.network.interfaces import KLScheme, Rate
from denoisplit.core.network.latent import Level, level_numbers, level_sums
from denoisplit.core.validators import described_by

SMALLEST_FREE_BITS = 1e-6
"""Free bits below this are no floor at all: even negative single-sample estimates pass unchanged."""

PerLevel = float | tuple[float, ...]
"""One number for all levels, or one per level, finest first, whether it has a latent or not."""


@described_by(or_(ge(0), and_(min_len(1), deep_iterable(ge(0)))))
def not_negative(_instance: object, attribute: "attrs.Attribute[Any]", value: PerLevel) -> None:
    """Validate a ``PerLevel`` option.

    Raises:
        ValueError: a number is negative or not finite, or there are none.
    """
    values = value if isinstance(value, tuple) else (value,)
    if not values or not all(0 <= v < float("inf") for v in values):
        raise ValueError(f"'{attribute.name}' must be >= 0, one number or one per level (got {value})")


def spread(value: PerLevel, levels: int, option: str) -> tuple[float, ...]:
    """Expand an option to one number per level.

    Raises:
        SpecError: several numbers, but not one per level.
    """
    values = value if isinstance(value, tuple) else (value,) * levels
    if len(values) != levels:
        raise SpecError(
            f"$.model.kl_scheme.{option}: {len(values)} numbers for {levels} levels (got {list(values)}). "
            f"Give one number, or one per level, finest first."
        )
    return values


def floored_mean(divergence: Tensor, free_bits: PerLevel) -> Tensor:
    """Batch mean of [b levels], with entries below ``free_bits`` raised to it; their gradient is 0.

    Raises:
        SpecError: several free bits, but not one per level.

    Source: Kingma et al., NeurIPS 2016; method section 3.1.
    """
    floors = spread(free_bits, divergence.shape[1], "free_bits")
    if max(floors) >= SMALLEST_FREE_BITS:
        lowest = [floor if floor >= SMALLEST_FREE_BITS else -float("inf") for floor in floors]
        divergence = divergence.clamp(min=divergence.new_tensor(lowest))
    return divergence.mean(0)


def on_hierarchy(values: Tensor, levels: Sequence[Level], missing: float = 0.0) -> Tensor:
    """Spread values [... latents] over the hierarchy [... levels]; ``missing`` where there is no latent."""
    count = levels[0].hierarchy
    if count is None:
        return values
    columns = [values.new_full(values.shape[:-1], missing)] * count
    for place, number in enumerate(level_numbers(levels)):
        columns[number] = values[..., place]
    return torch.stack(columns, dim=-1)


def latent_scalars(levels: Sequence[Level], like: Tensor) -> Tensor:
    """Number of latent scalars of one image at every level [levels]; 1 for a level without a latent."""
    return on_hierarchy(like.new_tensor([level.sample[0].numel() for level in levels]), levels, missing=1.0)


@attrs.frozen(kw_only=True)
class RateOptions:
    """Options of every KL scheme here; a scheme may have more.

    Attributes:
        free_bits: floor of the KL of every level of every image, nats; 0 for none.
            Several numbers: one per level, finest first.
        weight: multiplier of the rate after the warm-up.
        analytic: closed form of the KL instead of the single-sample estimate.
    """

    free_bits: PerLevel = attrs.field(default=0.0, validator=not_negative)
    weight: float = attrs.field(default=1.0, validator=ge(0))
    analytic: bool = False


class SumOverLevels(KLScheme):
    r"""A rate :math:`R = \sum_i w_i \operatorname{mean}_b \max(K_{bi}, f_i)`; schemes differ in the weights.

    Schemes compute one column per level of the hierarchy, so that an option's numbers match their levels;
    columns of levels without a latent are dropped at the end.
    """

    options: RateOptions

    def forward(self, levels: tuple[Level, ...], *, image_pixels: int, channels: int) -> Rate:
        """Rate of a batch; the class of the scheme tells the unit.

        Raises:
            SpecError: several numbers for an option, but not one per level.
        """
        if not levels:
            return Rate(torch.zeros(()), torch.zeros(0))
        per_level = self.per_level(levels, image_pixels=image_pixels, channels=channels)
        if levels[0].hierarchy is not None:
            per_level = torch.stack([per_level[number] for number in level_numbers(levels)])
        return Rate(per_level.sum(), per_level)

    @abstractmethod
    def per_level(self, levels: tuple[Level, ...], *, image_pixels: int, channels: int) -> Tensor:
        """Part of every level in the rate [levels of the hierarchy]; there is at least one latent."""

    def sums(self, levels: tuple[Level, ...]) -> Tensor:
        """KL of every level, summed over channels and positions [b levels], nats; 0 without a latent."""
        return on_hierarchy(level_sums(levels, analytic=self.options.analytic), levels)

    def floored(self, divergence: Tensor) -> Tensor:
        """Batch mean of [b levels] with the free bits of the options."""
        return floored_mean(divergence, self.options.free_bits)
