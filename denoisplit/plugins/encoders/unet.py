"""Contracting path of a U-Net, the baseline without latents."""

import attrs
from attrs.validators import ge, le
from torch import Tensor, nn

from denoisplit.core.network.interfaces import Encoder, Features, FeatureShape
from denoisplit.plugins.blocks import MOST_LEVELS, max_pool
from denoisplit.plugins.unet_blocks import DoubleConv

STRIDE = 2


class UNetEncoder(Encoder):
    """A double convolution at full size, then ``pools`` times max-pooling and a double convolution.

    Channels double from level to level, but not at the last: bilinear up-sampling keeps their number.

    Source: Ashesh et al., muSplit, ICCV 2023, code; method section 10.
    """

    @attrs.frozen(kw_only=True)
    class Options:
        """Options of the U-Net encoder.

        Attributes:
            pools: number of times that every side is halved; there is one level more.
            width: feature channels at full size.
        """

        pools: int = attrs.field(default=5, validator=[ge(1), le(MOST_LEVELS)])
        width: int = attrs.field(default=32, validator=ge(1))

    def __init__(self, options: Options, *, spatial_rank: int, in_channels: int) -> None:
        super().__init__()
        doubled = [options.width * 2**level for level in range(options.pools)]
        widths = [*doubled, doubled[-1]]
        self._shapes = tuple(
            FeatureShape(channels=width, stride=(STRIDE**level,) * spatial_rank)
            for level, width in enumerate(widths)
        )
        self.pool = max_pool(spatial_rank, STRIDE)
        self.levels = nn.ModuleList(
            DoubleConv(spatial_rank, before, width, middle=width)
            for before, width in zip([in_channels, *widths], widths, strict=False)
        )

    @property
    def feature_shapes(self) -> tuple[FeatureShape, ...]:
        """Channels and total stride of every level, finest first."""
        return self._shapes

    def forward(self, mixed: Tensor) -> Features:
        """Features of a normalised mixed image [b i (z) y x], full size first."""
        finest, *coarser = self.levels
        x: Tensor = finest(mixed)
        features = [x]
        for level in coarser:
            x = level(self.pool(x))
            features.append(x)
        return tuple(features)
