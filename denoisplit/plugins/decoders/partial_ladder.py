"""Top-down path of the ladder with latents at some levels only; the others draw nothing."""

from typing import Any

import attrs
from attrs.validators import deep_iterable, ge, gt

from denoisplit.core.errors import SpecError
from denoisplit.core.network.interfaces import FeatureShape
from denoisplit.core.validators import described_by
from denoisplit.plugins.channel_counts import ChannelCounts, counts_or_none
from denoisplit.plugins.decoders.ladder_path import LadderPath
from denoisplit.plugins.decoders.ladder_plan import LadderOptions, plan_levels


@described_by(deep_iterable(ge(0)))
def _numbers(_instance: object, attribute: "attrs.Attribute[Any]", value: tuple[int, ...]) -> None:
    if len(set(value)) < len(value) or (value and min(value) < 0):
        raise ValueError(f"'{attribute.name}' must be different numbers, 0 or more (got {list(value)})")


class PartialLadderDecoder(LadderPath):
    """A ladder where some levels have no latent: they pass on the mean of what would be their posterior.

    With latents at coarse levels alone, a sample decides about structures, while fine detail comes from the
    image as in a U-Net. Levels without a latent need features, so no images can be drawn from the prior.

    Source: Kohl et al., Hierarchical Probabilistic U-Net, 2019; Sønderby et al., NeurIPS 2016.
    """

    @attrs.frozen(kw_only=True)
    class Options(LadderOptions):
        """Options of the partial ladder decoder.

        Attributes:
            latent_levels: numbers of the levels that have a latent, 0 = finest. Empty for the coarsest alone.
            latent_channels: channels of the latent, or of what a level without one passes on; several numbers
                are one per level, finest first.
            clip: upper bound of raw log-variances, nats.
        """

        latent_levels: tuple[int, ...] = attrs.field(default=(), validator=_numbers)
        clip: float = attrs.field(default=20.0, validator=gt(0))
        width: ChannelCounts = attrs.field(default=(), validator=counts_or_none)

    def __init__(
        self,
        options: Options,
        *,
        feature_shapes: tuple[FeatureShape, ...],
        out_maps: int,
        patch: tuple[int, ...],
    ) -> None:
        plan = plan_levels(feature_shapes, options, clip=options.clip)
        drawn = _drawn(options.latent_levels, len(plan))
        super().__init__(plan, drawn, feature_shapes=feature_shapes, out_maps=out_maps, patch=patch)


def _drawn(numbers: tuple[int, ...], levels: int) -> frozenset[int]:
    """Numbers of the levels that have a latent.

    Raises:
        SpecError: there is no such level, or every level has one.
    """
    drawn = frozenset(numbers or (levels - 1,))
    if max(drawn) >= levels:
        raise SpecError(
            f"model.decoder.latent_levels: there is no such level (got {list(numbers)} for {levels} levels). "
            f"Give numbers from 0, the finest, to {levels - 1}."
        )
    if len(drawn) == levels:
        raise SpecError(
            f"model.decoder.latent_levels: every level has a latent (got {sorted(drawn)} for {levels} "
            f"levels). Give fewer numbers, or use the decoder ladder."
        )
    return drawn
