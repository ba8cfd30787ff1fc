"""One level of the top-down ladder without sampling: the latent is the mean of its posterior."""

from torch import Tensor, nn

from denoisplit.plugins.blocks import Merge, conv
from denoisplit.plugins.decoders.ladder_plan import LatentOptions, adapter, part_below, upsampling


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
