"""Bottom-up path from a stack of planes to feature maps of one plane."""

import attrs
import torch
from torch import Tensor, nn
from torch.nn import functional

from denoisplit.core.errors import SpecError
from denoisplit.core.network.interfaces import Encoder, Features, FeatureShape
from denoisplit.plugins.blocks import conv
from denoisplit.plugins.encoders.ladder import LadderEncoder
from denoisplit.plugins.encoders.levels import LadderOptions

SLOPE = 0.01
_RANK = 3


class DepthSquish(nn.Module):
    """A gated convolution, then the mean over z."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = conv(_RANK, channels, 2 * channels)

    def forward(self, x: Tensor) -> Tensor:
        """[b c z y x] to [b c y x]."""
        value, gate = self.conv(x).chunk(2, dim=1)
        return (functional.leaky_relu(value, SLOPE) * torch.sigmoid(gate)).mean(dim=2)


class LadderEncoder3dTo2d(Encoder):
    """A three-dimensional ladder that never strides in z; z is projected out of the features of every level.

    Source: CAREamics, lightning VAE modules; method section 12.1.
    """

    @attrs.frozen(kw_only=True)
    class Options(LadderOptions):
        """Options of the projecting ladder encoder.

        Attributes:
            levels: hierarchy levels, each of which halves y and x.
        """

    def __init__(self, options: Options, *, spatial_rank: int, in_channels: int) -> None:
        super().__init__()
        if spatial_rank != _RANK:
            raise SpecError(
                f"model.dimensions: the encoder ladder_3d_to_2d takes stacks of planes "
                f"(got {spatial_rank} dimensions). Use 3, or the encoder ladder."
            )
        self.ladder = LadderEncoder(
            LadderEncoder.Options(
                levels=options.levels,
                width=options.width,
                blocks=options.blocks,
                dropout=options.dropout,
                strides=((1, 2, 2),) * options.levels,
            ),
            spatial_rank=spatial_rank,
            in_channels=in_channels,
        )
        self.squish = nn.ModuleList(DepthSquish(shape.channels) for shape in self.ladder.feature_shapes)

    @property
    def feature_shapes(self) -> tuple[FeatureShape, ...]:
        """Channels and total stride in y and x of every level, finest first."""
        return tuple(
            FeatureShape(channels=shape.channels, stride=shape.stride[1:])
            for shape in self.ladder.feature_shapes
        )

    def forward(self, mixed: Tensor) -> Features:
        """Features [b f y x] of a normalised stack [b i z y x], finest level first."""
        features: Features = self.ladder(mixed)
        return tuple(squish(feature) for squish, feature in zip(self.squish, features, strict=True))
