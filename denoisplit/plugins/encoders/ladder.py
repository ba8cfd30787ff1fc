"""Bottom-up path of the ladder: one resampling block per level."""

import attrs
from attrs.validators import in_
from torch import Tensor, nn

from denoisplit.core.network.interfaces import Encoder, Features, FeatureShape
from denoisplit.plugins.blocks import mean_pool
from denoisplit.plugins.channel_counts import counts_per_level
from denoisplit.plugins.encoders.levels import (
    LadderOptions,
    Strides,
    bottom_up_level,
    positive_strides,
    stem,
    strides_per_level,
    total_strides,
)


class LadderEncoder(Encoder):
    """Stem, then ``levels`` times a strided block.

    Source: Prakash et al., HDN, ICLR 2022; Ashesh & Jug, denoiSplit, ECCV 2024; method sections 1.2 and 1.3.
    """

    @attrs.frozen(kw_only=True)
    class Options(LadderOptions):
        """Options of the ladder encoder.

        Attributes:
            binning: side of the squares of pixels that are averaged before the first convolution; 1 (the
                reference), 2 or 4. Over-sampled images lose little by it, while the network sees farther,
                starts from less noise, and runs faster by about the square of this number.
            strides: per level, finest first, the factor by which every spatial axis (z) y x shrinks. Empty
                for a halving of every axis at every level; [1, 2, 2] keeps the planes of a stack.
        """

        binning: int = attrs.field(default=1, validator=in_((1, 2, 4)))
        strides: Strides = attrs.field(default=(), validator=positive_strides)

    def __init__(self, options: Options, *, spatial_rank: int, in_channels: int) -> None:
        super().__init__()
        dropout = options.dropout
        widths = counts_per_level(options.width, options.levels, "model.encoder.width")
        strides = strides_per_level(options.strides, levels=options.levels, rank=spatial_rank)
        self._shapes = tuple(
            FeatureShape(channels=width, stride=total)
            for width, total in zip(
                widths, total_strides((options.binning,) * spatial_rank, strides), strict=True
            )
        )
        self.bin = mean_pool(spatial_rank, options.binning)
        self.stem = stem(spatial_rank, in_channels, widths[0], dropout=dropout)
        self.levels = nn.ModuleList(
            bottom_up_level(
                spatial_rank, width, stride=stride, blocks=options.blocks, dropout=dropout, inputs=inputs
            )
            for inputs, width, stride in zip((widths[0], *widths), widths, strides, strict=False)
        )

    @property
    def feature_shapes(self) -> tuple[FeatureShape, ...]:
        """Channels and total stride of every level, finest first."""
        return self._shapes

    def forward(self, mixed: Tensor) -> Features:
        """Features of a normalised mixed image [b i (z) y x], finest level first."""
        features: list[Tensor] = []
        x: Tensor = self.stem(self.bin(mixed))
        for level in self.levels:
            x = level(x)
            features.append(x)
        return tuple(features)
