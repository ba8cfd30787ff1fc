"""One level of the top-down ladder.

For level i, with h the state of the level above and f_i the features of the encoder:

    prior     p = N(conv(h))                      top level: a learned map
    posterior q = N(conv(merge(f_i, h)))          top level: N(conv(f_i))
    sample    z = mean_q + std_q * noise
    state     h' = upsample(skip_merge(conv(z), h))   top level: upsample(conv(z))

Where the features of the encoder differ from h in channels, a 1x1 convolution adapts them first.
With lateral context, h covers more than the level below, which gets the up-sampled centre.

Source: method sections 1.5 and 1.6.
"""

import torch
from torch import Tensor, nn
from torch.distributions import Normal

from denoisplit.core.network.latent import Level, gaussian
from denoisplit.core.network.noise_source import NoiseSource
from denoisplit.plugins.blocks import KERNEL, Merge, conv
from denoisplit.plugins.decoders.ladder_plan import LatentOptions, adapter, part_below, upsampling
from denoisplit.plugins.windows import by_windows


class Latent(nn.Module):
    """The stochastic step of a level: features to posterior, noise to sample, sample to features."""

    def __init__(self, options: LatentOptions) -> None:
        super().__init__()
        self.options = options
        self.posterior = conv(options.rank, options.width, 2 * options.latent_channels)
        self.expand = conv(options.rank, options.latent_channels, options.width)

    def normal(self, parameters: Tensor) -> Normal:
        """Normal distribution from a map of means and raw log-variances."""
        return gaussian(parameters, clip=self.options.clip, naive=self.options.naive_variance)

    def draw(self, distribution: Normal, noise: NoiseSource) -> Tensor:
        """One reparameterised draw."""
        mean = distribution.mean
        return mean + distribution.stddev * noise.normal(self.options.index, mean)

    def infer(self, features: Tensor) -> Normal:
        """Posterior from merged features."""
        if self.options.divisor != 1:
            features = features / self.options.divisor
        return self.normal(self.posterior(features))

    def sample(self, features: Tensor, noise: NoiseSource) -> Tensor:
        """Draw from the posterior of merged features; the posterior itself is not kept.

        It has the precision of the posterior's map, to which the next convolution would round it anyway.
        """
        half = features.dtype in (torch.bfloat16, torch.float16)
        scalar = features.new_empty((), dtype=torch.float32 if half else features.dtype)
        like = scalar.expand(features.shape[0], self.options.latent_channels, *features.shape[2:])

        def draw(part: Tensor, standard: Tensor) -> Tensor:
            parameters = self.posterior(part / self.options.divisor)
            distribution = self.normal(parameters)
            return (distribution.mean + distribution.stddev * standard).to(parameters.dtype)

        standard = noise.normal(self.options.index, like)
        return by_windows(draw, features, standard, reach=(KERNEL // 2,) * (features.ndim - 2))


class TopLevel(nn.Module):
    """The coarsest level: its prior is a learned map, repeated for images larger than the training patch."""

    def __init__(self, options: LatentOptions, *, size: tuple[int, ...]) -> None:
        super().__init__()
        self.adapt = adapter(options)
        self.latent = Latent(options)
        self.prior = nn.Parameter(torch.zeros(1, 2 * options.latent_channels, *size))
        self.upsample = upsampling(options)

    def forward(self, features: Tensor, noise: NoiseSource) -> tuple[Tensor, Level]:
        """State for the level below and the record of this level."""
        posterior = self.latent.infer(self.adapt(features))
        sample = self.latent.draw(posterior, noise)
        prior = self.latent.normal(_repeat_to(self.prior, tuple(features.shape[2:])))
        return self._state(sample), Level(posterior, prior, sample)

    def sample(self, features: Tensor, noise: NoiseSource) -> Tensor:
        """State for the level below, without the prior."""
        return self._state(self.latent.sample(self.adapt(features), noise))

    def generate(self, size: tuple[int, ...], noise: NoiseSource, *, batch: int) -> Tensor:
        """State for the level below from a draw of the prior."""
        parameters = _repeat_to(self.prior, size)
        prior = self.latent.normal(parameters.expand(batch, *parameters.shape[1:]))
        return self._state(self.latent.draw(prior, noise))

    def _state(self, sample: Tensor) -> Tensor:
        state: Tensor = self.upsample(part_below(self.latent.expand(sample), self.latent.options.crop))
        return state


class InnerLevel(nn.Module):
    """A level below the top: merges features from the encoder with the state from above."""

    def __init__(self, options: LatentOptions) -> None:
        super().__init__()
        self.adapt = adapter(options)
        self.latent = Latent(options)
        self.prior = conv(options.rank, options.width, 2 * options.latent_channels)
        self.merge = Merge(options.rank, options.width, dropout=options.dropout)
        self.skip = Merge(options.rank, options.width, dropout=options.dropout)
        self.upsample = upsampling(options)

    def forward(self, features: Tensor, above: Tensor, noise: NoiseSource) -> tuple[Tensor, Level]:
        """State for the level below and the record of this level."""
        posterior = self.latent.infer(self.merge(self.adapt(features), above))
        sample = self.latent.draw(posterior, noise)
        return self._state(sample, above), Level(posterior, self.latent.normal(self.prior(above)), sample)

    def sample(self, features: Tensor, above: Tensor, noise: NoiseSource) -> Tensor:
        """State for the level below, without the prior."""
        features = self.adapt(features)
        merged = self.merge(features.expand(above.shape[0], *features.shape[1:]), above)
        return self._state(self.latent.sample(merged, noise), above)

    def generate(self, above: Tensor, noise: NoiseSource) -> Tensor:
        """State for the level below from a draw of the prior."""
        return self._state(self.latent.draw(self.latent.normal(self.prior(above)), noise), above)

    def _state(self, sample: Tensor, above: Tensor) -> Tensor:
        merged = self.skip(self.latent.expand(sample), above)
        state: Tensor = self.upsample(part_below(merged, self.latent.options.crop))
        return state


def _repeat_to(parameters: Tensor, size: tuple[int, ...]) -> Tensor:
    """Repeat a map [1 k (z) y x] periodically until it covers ``size``, and crop it to that."""
    have = tuple(parameters.shape[2:])
    if have == size:
        return parameters
    repeats = tuple(-(-want // n) for want, n in zip(size, have, strict=True))
    window = (slice(None), slice(None), *(slice(0, want) for want in size))
    return parameters.repeat(1, 1, *repeats)[window]
