"""Latent noise as a function of place, so that a prediction does not depend on how the image is cut.

Every standard normal number belongs to (seed, sample, level, latent channel, absolute latent position).
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Final

import attrs
from torch import Tensor

from denoisplit.core.network.noise_source import NoiseSource

BLOCK_SIDE: Final = {1: 1024, 2: 32, 3: 8}
"""Latent positions per axis of one block, by number of spatial axes. Changing it changes every prediction."""


@attrs.frozen
class NoiseField(ABC):
    """An endless field of independent standard normal numbers.

    Attributes:
        seed: identifies the field; 0 to 2**64 - 1.
    """

    seed: int = attrs.field(validator=[attrs.validators.ge(0), attrs.validators.lt(2**64)])

    @abstractmethod
    def windows(
        self, level: int, samples: Sequence[int], starts: Sequence[tuple[int, ...]], like: Tensor
    ) -> Tensor:
        """Return one window of the field per batch item.

        Args:
            level: level of the hierarchy, 0 = finest.
            samples: number of the posterior sample of every item, >= 0.
            starts: first latent position of every item along every spatial axis; may be negative.
            like: [n k (z) y x]; more channels leave the numbers of the first ones unchanged.

        Returns:
            Numbers with the shape, dtype and device of ``like``.
        """


@attrs.frozen
class FieldNoise(NoiseSource):
    """Noise of one batch, cut out of a noise field.

    Attributes:
        field: the field.
        samples: number of the posterior sample of every batch item.
        origins: first pixel of every batch item per spatial axis, multiples of the coarsest stride.
        level_strides: pixels per latent position of every level and spatial axis, finest level first.
    """

    field: NoiseField
    samples: Sequence[int]
    origins: Sequence[tuple[int, ...]]
    level_strides: Sequence[tuple[int, ...]]

    def normal(self, level: int, like: Tensor) -> Tensor:
        """Noise for the batch ``like`` [n k (z) y x].

        Raises:
            ValueError: the batch has another size than samples, or an origin is between latent positions.
        """
        if not len(self.samples) == len(self.origins) == len(like):
            raise ValueError(
                f"FieldNoise: {len(self.samples)} samples and {len(self.origins)} places for a batch of "
                f"{len(like)}. Give one of each per batch item."
            )
        starts = [self._start(level, origin) for origin in self.origins]
        return self.field.windows(level, self.samples, starts, like)

    def _start(self, level: int, origin: tuple[int, ...]) -> tuple[int, ...]:
        """Latent position of a pixel origin."""
        strides = self.level_strides[level]
        if any(o % s for o, s in zip(origin, strides, strict=True)):
            raise ValueError(
                f"FieldNoise: an origin must be a multiple of the stride {strides} of level {level} "
                f"(got {origin}). Start every tile at a multiple of the coarsest stride."
            )
        return tuple(o // s for o, s in zip(origin, strides, strict=True))


@attrs.frozen
class CentredNoise(NoiseSource):
    """Noise of one batch for latents that may cover the surround of the image: counted from its centre.

    Attributes:
        field: the field.
        samples: number of the posterior sample of every batch item.
        shifts: pixels from the centre of the image to that of every batch item per spatial axis, multiples of
            the coarsest stride.
        level_strides: pixels per latent position of every level and spatial axis, finest level first.
    """

    field: NoiseField
    samples: Sequence[int]
    shifts: Sequence[tuple[int, ...]]
    level_strides: Sequence[tuple[int, ...]]

    def normal(self, level: int, like: Tensor) -> Tensor:
        """Noise for the batch ``like`` [n k (z) y x]; raises as ``FieldNoise.normal``."""
        strides, shape = self.level_strides[level], like.shape[2:]
        origins = [
            tuple(pixels - n // 2 * s for pixels, s, n in zip(shift, strides, shape, strict=True))
            for shift in self.shifts
        ]
        return FieldNoise(self.field, self.samples, origins, self.level_strides).normal(level, like)
