"""Inputs for decoders under examination: features, and noise that records requests."""

from collections.abc import Callable, Sequence

import attrs
import torch
from torch import Tensor

from denoisplit.core.network.interfaces import Decoded, Decoder, Features, FeatureShape
from denoisplit.core.network.latent import Level
from denoisplit.core.network.noise_source import NoiseSource
from denoisplit.testing.strategies import random
from denoisplit.testing.suite import generic

BATCH = 2
"""Number of images in the features of a case."""

_SMALLEST = 8
"""Pixels along an axis, enough for a centre that borders do not reach."""


@attrs.frozen
class LevelNoise(NoiseSource):
    """Standard normal numbers that depend on a seed and the level only; records requests.

    Attributes:
        seed: seed of the numbers.
        asked: level and shape of every request, in order.
        moved: a level that gets other numbers; None for no level.
    """

    seed: int
    asked: list[tuple[int, tuple[int, ...]]] = attrs.field(factory=list)
    moved: int | None = None

    def normal(self, level: int, like: Tensor) -> Tensor:
        """The numbers of a level, the same for every request of the same shape."""
        self.asked.append((level, tuple(like.shape)))
        return self.of(level, tuple(like.shape)).to(like)

    def of(self, level: int, shape: tuple[int, ...]) -> Tensor:
        """The numbers of a level of this shape."""
        return random(1000 * self.seed + level + 500 * (level == self.moved), *shape)


@attrs.frozen(kw_only=True)
class DecoderCase:
    """A decoder with an image to decode.

    Attributes:
        new: function that makes such a decoder as the composer does.
        decoder: the decoder in evaluation mode, with random numbers.
        shapes: shapes of its features.
        image: sides of the image.
        features: random features.
    """

    new: Callable[[], Decoder]
    decoder: Decoder
    shapes: tuple[FeatureShape, ...]
    image: tuple[int, ...]
    features: Features

    def decode(self, noise: NoiseSource, features: Features | None = None) -> Decoded:
        """Decode the features, or others, without gradients."""
        with torch.no_grad():
            decoded: Decoded = self.decoder(features or self.features, noise)
        return decoded

    def latents(self) -> tuple[int, ...]:
        """Numbers of the levels that have a latent, 0 = finest: those whose noise the decoder asks for."""
        noise = LevelNoise(1)
        self.decode(noise)
        return tuple(sorted({level for level, _ in noise.asked}))

    def by_number(self, decoded: Decoded) -> dict[int, Level]:
        """Return the decoded latents, by the numbers of their levels."""
        numbers, count = self.latents(), len(decoded.levels)
        assert len(numbers) == count, f"{count} latents are returned, noise is that of the levels {numbers}"
        return dict(zip(numbers, decoded.levels, strict=True))

    def maps(self, decoder: Decoder, features: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return every output of a decoder, for the noise of one seed."""
        decoded: Decoded = decoder(tuple(features), LevelNoise(1))
        found = [decoded.output]
        for level in decoded.levels:
            prior = (level.prior.mean, level.prior.stddev)
            found += [level.posterior.mean, level.posterior.stddev, *prior, level.sample]
        return tuple(found)

    def changed(self, level: int) -> Features:
        """Return the features with other numbers at one level."""
        new = random(77, *self.features[level].shape)
        return tuple(new if index == level else old for index, old in enumerate(self.features))


@attrs.frozen
class GivenNoise(NoiseSource):
    """Given numbers for some levels, zeros for the others."""

    numbers: dict[int, Tensor] = attrs.field(factory=dict)

    def normal(self, level: int, like: Tensor) -> Tensor:
        """The numbers of a level."""
        return self.numbers.get(level, torch.zeros_like(like)).to(like)


def training_patch(shapes: tuple[FeatureShape, ...]) -> tuple[int, ...]:
    """Return a training patch: two positions of the coarsest level along every axis, or a little more."""
    return tuple(max(2 * stride, _SMALLEST) for stride in shapes[-1].stride)


def decoder_case(
    new: Callable[[], Decoder], shapes: tuple[FeatureShape, ...], *, patches: int | tuple[int, ...] = 1
) -> DecoderCase:
    """Return a decoder with random features of an image, whose sides are given in training patches.

    Raises:
        SpecError: the decoder does not take these features.
    """
    patch = training_patch(shapes)
    many = (patches,) * len(patch) if isinstance(patches, int) else patches
    image = tuple(count * side for count, side in zip(many, patch, strict=True))
    features = tuple(
        random(10 + i, BATCH, shape.channels, *shape.size(image)) for i, shape in enumerate(shapes)
    )
    return DecoderCase(new=new, decoder=generic(new), shapes=shapes, image=image, features=features)
