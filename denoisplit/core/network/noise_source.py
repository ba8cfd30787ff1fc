"""Sources of latent noise. A decoder draws nothing itself but asks one of these."""

from abc import ABC, abstractmethod

import attrs
import torch
from torch import Tensor

from denoisplit.core.network.normals import normals
from denoisplit.core.network.philox import Purpose, Streams


class NoiseSource(ABC):
    """Standard normal numbers for every level of the hierarchy."""

    @abstractmethod
    def normal(self, level: int, like: Tensor) -> Tensor:
        """Standard normal draw for ``level`` (0 = finest) with the shape, dtype and device of ``like``.

        A decoder asks once per level that has a latent, coarsest first.
        """


@attrs.frozen
class GeneratorNoise(NoiseSource):
    """Noise from a seeded generator, for a whole batch."""

    generator: torch.Generator

    def normal(self, level: int, like: Tensor) -> Tensor:
        """The generator's next draw; ``level`` only fixes the order of the draws."""
        del level
        noise = torch.randn(
            like.shape, generator=self.generator, dtype=torch.float32, device=self.generator.device
        )
        return noise.to(device=like.device, dtype=like.dtype)


@attrs.frozen
class StepNoise(NoiseSource):
    """Noise of a training step, made on the network's device.

    A number belongs to (seed, step, number in the batch, level, place in the latent): a part of a batch gets
    the same noise as in the whole batch.

    Attributes:
        seed: seed of the training.
        step: number of the step; negative in validations.
        rows: numbers in the batch of the images to decode.
    """

    seed: int
    step: int
    rows: range

    def normal(self, level: int, like: Tensor) -> Tensor:
        """Noise for the batch ``like`` [n k (z) y x].

        Raises:
            ValueError: the size of the batch differs from ``rows``.
        """
        if len(self.rows) != len(like):
            raise ValueError(f"StepNoise: a batch of {len(like)} for rows {self.rows}. Give one per patch.")
        numbers = range(self.step, self.step + 1)
        streams = Streams(seed=self.seed, purpose=Purpose.LATENT, numbers=numbers, level=level, y=self.rows)
        return normals(streams, like[0].numel(), like.device).view(like.shape).to(like.dtype)


@attrs.frozen
class PartNoise(NoiseSource):
    """Noise of another source for a batch, restricted to some of its images.

    Attributes:
        whole: source for the batch.
        rows: numbers of the images.
        total: number of images of the batch.
    """

    whole: NoiseSource
    rows: range
    total: int

    def normal(self, level: int, like: Tensor) -> Tensor:
        """The rows of the draw for the batch."""
        of_batch = like[:1].expand(self.total, *like.shape[1:])
        return self.whole.normal(level, of_batch)[self.rows.start : self.rows.stop]


@attrs.frozen
class ZeroNoise(NoiseSource):
    """No noise: every sample is the mode of its posterior."""

    def normal(self, level: int, like: Tensor) -> Tensor:
        """Zeros."""
        del level
        return torch.zeros_like(like)
