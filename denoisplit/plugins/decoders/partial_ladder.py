"""Top-down path of the ladder with latents at some levels only; the others draw nothing."""

from collections.abc import Callable
from functools import partial
from typing import Any

import attrs
from attrs.validators import deep_iterable, ge, gt, le, lt
from torch import Tensor, nn

from denoisplit.core.errors import SpecError
from denoisplit.core.network.interfaces import Decoded, Decoder, Features, FeatureShape, Window
from denoisplit.core.network.latent import Level
from denoisplit.core.network.noise_source import NoiseSource
from denoisplit.core.validators import described_by
from denoisplit.plugins.blocks import MOST_BLOCKS, ResidualBlock, conv
from denoisplit.plugins.channel_counts import ChannelCounts, channel_counts, counts_or_none
from denoisplit.plugins.decoders import deterministic_ladder, ladder_level
from denoisplit.plugins.decoders.ladder_plan import binning, plan_levels
from denoisplit.plugins.decoders.output_layer import emitted


@described_by(deep_iterable(ge(0)))
def _numbers(_instance: object, attribute: "attrs.Attribute[Any]", value: tuple[int, ...]) -> None:
    if len(set(value)) < len(value) or (value and min(value) < 0):
        raise ValueError(f"'{attribute.name}' must be different numbers, 0 or more (got {list(value)})")


class PartialLadderDecoder(Decoder):
    """A ladder where some levels have no latent: they pass on the mean of what would be their posterior.

    With latents at coarse levels alone, a sample decides about structures, while fine detail comes from the
    image as in a U-Net. Levels without a latent need features, so no images can be drawn from the prior.

    Source: Kohl et al., Hierarchical Probabilistic U-Net, 2019; Sønderby et al., NeurIPS 2016.
    """

    @attrs.frozen(kw_only=True)
    class Options:
        """Options of the partial ladder decoder.

        Attributes:
            latent_levels: numbers of the levels that have a latent, 0 = finest. Empty for the coarsest alone.
            latent_channels: channels of the latent, or of what a level without one passes on; several numbers
                are one per level, finest first.
            blocks: residual blocks per level.
            dropout: probability per feature channel.
            clip: upper bound of raw log-variances, nats.
            normalise_latents: scale the features of hierarchies with more than 4 levels.
            width: channels of the states; several numbers are one per level, finest first. Empty takes those
                of the encoder's features, which must then be the same at every level.
        """

        latent_levels: tuple[int, ...] = attrs.field(default=(), validator=_numbers)
        latent_channels: ChannelCounts = attrs.field(default=128, validator=channel_counts)
        blocks: int = attrs.field(default=1, validator=[ge(1), le(MOST_BLOCKS)])
        dropout: float = attrs.field(default=0.1, validator=[ge(0), lt(1)])
        clip: float = attrs.field(default=20.0, validator=gt(0))
        normalise_latents: bool = True
        width: ChannelCounts = attrs.field(default=(), validator=counts_or_none)

    def __init__(
        self,
        options: Options,
        *,
        feature_shapes: tuple[FeatureShape, ...],
        out_maps: int,
        patch: tuple[int, ...],
    ) -> None:
        super().__init__()
        plan = plan_levels(
            feature_shapes,
            latent_channels=options.latent_channels,
            width=options.width,
            blocks=options.blocks,
            dropout=options.dropout,
            normalise=options.normalise_latents,
            clip=options.clip,
        )
        *inner, top = plan
        self._drawn = _drawn(options.latent_levels, len(plan))
        levels: list[nn.Module] = [
            ladder_level.InnerLevel(one) if one.index in self._drawn else deterministic_ladder.InnerLevel(one)
            for one in inner
        ]
        if top.index in self._drawn:
            levels.append(ladder_level.TopLevel(top, size=feature_shapes[-1].size(patch)))
        else:
            levels.append(deterministic_ladder.TopLevel(top))
        self.levels = nn.ModuleList(levels)
        self._binning = binning(feature_shapes)
        rank, width = top.rank, plan[0].width
        self.final = nn.Sequential(
            *(ResidualBlock(rank, width, dropout=options.dropout) for _ in range(options.blocks))
        )
        self.output = conv(rank, width, out_maps)

    def forward(self, features: Features, noise: NoiseSource, *, window: Window = ()) -> Decoded:
        """Output maps, and posterior and prior of the levels that have a latent."""
        levels: list[Level] = []

        def step(number: int, *maps: Tensor) -> Tensor:
            found: tuple[Tensor, Level] = self.levels[number](*maps, noise)
            levels.append(found[1])
            return found[0]

        output = self._decoded(features, step, window)
        return Decoded(output=output, levels=tuple(reversed(levels)))

    def sample(self, features: Features, noise: NoiseSource) -> Tensor:
        """Output maps only; no prior is evaluated."""

        def step(number: int, *maps: Tensor) -> Tensor:
            level: Any = self.levels[number]
            state: Tensor = level.sample(*maps, noise)
            return state

        return self._decoded(features, step)

    def _decoded(self, features: Features, step: Callable[..., Tensor], window: Window = ()) -> Tensor:
        """Compute the output maps; ``step`` applies a level that has a latent."""
        state: tuple[Tensor, ...] = ()
        for number in reversed(range(len(features))):
            level = partial(step, number) if number in self._drawn else self.levels[number]
            state = (level(features[number], *state),)
        (x,) = state
        return emitted(self.output, self.final(x), self._binning, window)


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
