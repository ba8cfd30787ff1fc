"""Top-down path of the ladder without sampling: every latent is the mean of its posterior."""

import attrs
from attrs.validators import ge, le, lt
from torch import Tensor, nn

from denoisplit.core.network.interfaces import Decoded, Decoder, Features, FeatureShape, Window
from denoisplit.core.network.noise_source import NoiseSource
from denoisplit.core.validators import QUIET
from denoisplit.plugins.blocks import MOST_BLOCKS, Merge, ResidualBlock, conv
from denoisplit.plugins.channel_counts import ChannelCounts, channel_counts, counts_or_none
from denoisplit.plugins.decoders.ladder_plan import (
    LatentOptions,
    adapter,
    binning,
    part_below,
    plan_levels,
    upsampling,
)
from denoisplit.plugins.decoders.output_layer import emitted


class Code(nn.Module):
    """The latent of a level without sampling: features to its mean, and back to features."""

    def __init__(self, options: LatentOptions) -> None:
        super().__init__()
        self.divisor = options.divisor
        self.mean = conv(options.rank, options.width, options.latent_channels)
        self.expand = conv(options.rank, options.latent_channels, options.width)

    def forward(self, features: Tensor) -> Tensor:
        """Same shape as ``features`` [b f (z) y x]."""
        result: Tensor = self.expand(self.mean(features / self.divisor))
        return result


class TopLevel(nn.Module):
    """The coarsest level."""

    def __init__(self, options: LatentOptions) -> None:
        super().__init__()
        self.crop = options.crop
        self.adapt = adapter(options)
        self.latent = Code(options)
        self.upsample = upsampling(options)

    def forward(self, features: Tensor) -> Tensor:
        """State for the level below."""
        state: Tensor = self.upsample(part_below(self.latent(self.adapt(features)), self.crop))
        return state


class InnerLevel(nn.Module):
    """A level below the top: merges features from the encoder with the state from above."""

    def __init__(self, options: LatentOptions) -> None:
        super().__init__()
        self.crop = options.crop
        self.adapt = adapter(options)
        self.latent = Code(options)
        self.merge = Merge(options.rank, options.width, dropout=options.dropout)
        self.skip = Merge(options.rank, options.width, dropout=options.dropout)
        self.upsample = upsampling(options)

    def forward(self, features: Tensor, above: Tensor) -> Tensor:
        """State for the level below."""
        merged = self.skip(self.latent(self.merge(self.adapt(features), above)), above)
        state: Tensor = self.upsample(part_below(merged, self.crop))
        return state


class DeterministicLadderDecoder(Decoder):
    """The ladder with the mean of every posterior in place of a sample, and without priors.

    With the weights of a ladder it computes that ladder's output without noise. All posterior samples are
    equal, and there is no rate.

    Source: Ashesh & Jug, denoiSplit, ECCV 2024, code; method section 1.6.
    """

    @attrs.frozen(kw_only=True)
    class Options:
        """Options of the deterministic ladder decoder.

        Attributes:
            latent_channels: channels of the latents; several numbers are one per level, finest first.
            blocks: residual blocks per level.
            dropout: probability per feature channel.
            normalise_latents: scale the features of hierarchies with more than 4 levels.
            width: channels of the states; several numbers are one per level, finest first. Empty takes those
                of the encoder's features, which must then be the same at every level.
        """

        latent_channels: ChannelCounts = attrs.field(default=128, validator=channel_counts)
        blocks: int = attrs.field(default=1, validator=[ge(1), le(MOST_BLOCKS)])
        dropout: float = attrs.field(default=0.1, validator=[ge(0), lt(1)])
        normalise_latents: bool = True
        width: ChannelCounts = attrs.field(default=(), validator=counts_or_none, metadata={QUIET: True})

    def __init__(
        self,
        options: Options,
        *,
        feature_shapes: tuple[FeatureShape, ...],
        out_maps: int,
        patch: tuple[int, ...],
    ) -> None:
        super().__init__()
        del patch  # only a learned prior depends on it
        *inner, top = plan_levels(
            feature_shapes,
            latent_channels=options.latent_channels,
            width=options.width,
            blocks=options.blocks,
            dropout=options.dropout,
            normalise=options.normalise_latents,
        )
        self.levels = nn.ModuleList([*(InnerLevel(latent) for latent in inner), TopLevel(top)])
        self._binning = binning(feature_shapes)
        rank, width = top.rank, [*inner, top][0].width
        self.final = nn.Sequential(
            *(ResidualBlock(rank, width, dropout=options.dropout) for _ in range(options.blocks))
        )
        self.output = conv(rank, width, out_maps)

    def forward(self, features: Features, noise: NoiseSource, *, window: Window = ()) -> Decoded:
        """Output maps, the same for all noise, and no levels; ``window`` is cut out before the last layer."""
        del noise
        *inner, top = self.levels
        x = top(features[-1])
        for level, feature in zip(reversed(inner), reversed(features[:-1]), strict=True):
            x = level(feature, x)
        output = emitted(self.output, self.final(x), self._binning, window)
        return Decoded(output=output, levels=())
