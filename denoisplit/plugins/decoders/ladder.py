"""Top-down path of the ladder: posterior, prior and sample per level, from the coarsest to the finest."""

from typing import Any

import attrs
from attrs.validators import ge, gt, le, lt, optional
from torch import Tensor, nn

from denoisplit.core.network.interfaces import Decoded, Decoder, Features, FeatureShape, Window
from denoisplit.core.network.latent import Level
from denoisplit.core.network.noise_source import NoiseSource
from denoisplit.core.validators import QUIET, described_by
from denoisplit.plugins.blocks import MOST_BLOCKS, ResidualBlock, conv
from denoisplit.plugins.channel_counts import ChannelCounts, channel_counts, counts_or_none
from denoisplit.plugins.decoders.ladder_level import InnerLevel, TopLevel
from denoisplit.plugins.decoders.ladder_plan import binning, plan_levels
from denoisplit.plugins.decoders.output_layer import emitted


@described_by(optional(gt(0)))
def _positive(_instance: object, attribute: "attrs.Attribute[Any]", value: float | None) -> None:
    if value is not None and not value > 0:
        raise ValueError(f"'{attribute.name}' must be > 0 (got {value})")


class LadderDecoder(Decoder):
    """One top level with a learned prior, inner levels that merge features from both sides, an output block.

    Where features cover the surround of the image, so do the latents; the states are cropped on the way down.

    Source: Sønderby et al., NeurIPS 2016; Prakash et al., HDN, ICLR 2022; Ashesh & Jug, denoiSplit, ECCV
    2024; method sections 1.5 and 1.6.
    """

    @attrs.frozen(kw_only=True)
    class Options:
        """Options of the ladder decoder.

        Attributes:
            latent_channels: channels of the latents; several numbers are one per level, finest first.
            blocks: residual blocks per level.
            dropout: probability per feature channel.
            clip: upper bound of raw log-variances, nats; None for no bound.
            naive_variance: plain exponential variances (HDN) instead of stable ones.
            normalise_latents: scale the posterior features of hierarchies with more than 4 levels.
            width: channels of the states; several numbers are one per level, finest first. Empty takes those
                of the encoder's features, which must then be the same at every level.
        """

        latent_channels: ChannelCounts = attrs.field(default=128, validator=channel_counts)
        blocks: int = attrs.field(default=1, validator=[ge(1), le(MOST_BLOCKS)])
        dropout: float = attrs.field(default=0.1, validator=[ge(0), lt(1)])
        clip: float | None = attrs.field(default=20.0, validator=_positive)
        naive_variance: bool = False
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
        *inner, top = plan_levels(
            feature_shapes,
            latent_channels=options.latent_channels,
            width=options.width,
            blocks=options.blocks,
            dropout=options.dropout,
            normalise=options.normalise_latents,
            clip=options.clip,
            naive_variance=options.naive_variance,
        )
        rank, width = top.rank, [*inner, top][0].width
        self._coarsest = feature_shapes[-1]
        size = tuple(max(1, n) for n in self._coarsest.size(patch))
        self.levels = nn.ModuleList([*(InnerLevel(latent) for latent in inner), TopLevel(top, size=size)])
        self._binning = binning(feature_shapes)
        self.final = nn.Sequential(
            *(ResidualBlock(rank, width, dropout=options.dropout) for _ in range(options.blocks))
        )
        self.output = conv(rank, width, out_maps)

    def forward(self, features: Features, noise: NoiseSource, *, window: Window = ()) -> Decoded:
        """Decode with posterior and prior of every level; ``window`` is cut out before the last layer."""
        top, inner = self._split()
        x, level = top(features[-1], noise)
        levels: list[Level] = [level]
        for module, feature in zip(inner, reversed(features[:-1]), strict=True):
            x, level = module(feature, x, noise)
            levels.append(level)
        return Decoded(output=self._emit(x, window), levels=tuple(reversed(levels)))

    def sample(self, features: Features, noise: NoiseSource) -> Tensor:
        """Output maps only; no prior is evaluated."""
        top, inner = self._split()
        x = top.sample(features[-1], noise)
        for module, feature in zip(inner, reversed(features[:-1]), strict=True):
            x = module.sample(feature, x, noise)
        return self._emit(x)

    def generate(self, shape: tuple[int, ...], noise: NoiseSource, *, batch: int) -> Tensor:
        """Output maps [batch maps (z) y x] drawn from the prior for an image of ``shape``."""
        top, inner = self._split()
        x = top.generate(self._coarsest.size(shape), noise, batch=batch)
        for module in inner:
            x = module.generate(x, noise)
        return self._emit(x)

    def _emit(self, x: Tensor, window: Window = ()) -> Tensor:
        return emitted(self.output, self.final(x), self._binning, window)

    def _split(self) -> tuple[TopLevel, list[InnerLevel]]:
        """Return the top level, and the inner levels from coarse to fine."""
        top = self.levels[-1]
        if not isinstance(top, TopLevel):
            raise TypeError("the last level of a ladder is its top level")
        return top, [level for level in reversed(list(self.levels)) if isinstance(level, InnerLevel)]
