"""Top-down path of the ladder without sampling: every latent is the mean of its posterior."""

import attrs
from attrs.validators import ge, le, lt

from denoisplit.core.network.interfaces import FeatureShape
from denoisplit.core.validators import QUIET
from denoisplit.plugins.blocks import MOST_BLOCKS
from denoisplit.plugins.channel_counts import ChannelCounts, channel_counts, counts_or_none
from denoisplit.plugins.decoders.ladder_path import LadderPath
from denoisplit.plugins.decoders.ladder_plan import plan_levels


class DeterministicLadderDecoder(LadderPath):
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
        plan = plan_levels(
            feature_shapes,
            latent_channels=options.latent_channels,
            width=options.width,
            blocks=options.blocks,
            dropout=options.dropout,
            normalise=options.normalise_latents,
        )
        super().__init__(plan, (), feature_shapes=feature_shapes, out_maps=out_maps, patch=patch)
