"""What a step of the training draws at random: latent noise and dropout, by the names of a spec."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Final, final

import attrs
import torch
from torch import nn

from denoisplit.core.devices import seeded
from denoisplit.core.network.dropout import dropping
from denoisplit.core.network.noise_source import GeneratorNoise, NoiseSource, PartNoise, StepNoise
from denoisplit.core.training.parts import Part


def step_seed(seed: int, step: int) -> int:
    """One number below 2^63 for a (seed, step), by a fixed integer hash (splitmix64)."""
    mask = (1 << 64) - 1
    value = (seed * 0x9E3779B97F4A7C15 + (step + 2) * 0xBF58476D1CE4E5B9) & mask
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & mask
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & mask
    return (value ^ (value >> 31)) >> 1


@attrs.frozen
class StepDraws(ABC):
    """Random draws of the steps of a training: functions of the seed, the step and the part of its batch.

    Attributes:
        seed: of the training.
    """

    seed: int

    @abstractmethod
    def latent(self, step: int, part: Part) -> NoiseSource:
        """Latent noise of a part of the batch of a step."""

    @abstractmethod
    def dropping(
        self, network: nn.Module, step: int, part: Part, device: torch.device
    ) -> AbstractContextManager[None]:
        """Let a network on a device drop what belongs to a part of the batch of a step."""


@final
@attrs.frozen
class RowDraws(StepDraws):
    """Every patch of a batch has draws of its own, made where the network is; see ``StepNoise``."""

    def latent(self, step: int, part: Part) -> NoiseSource:
        """By (seed, step, number in the batch, level, place)."""
        return StepNoise(self.seed, step, part.rows)

    @contextmanager
    def dropping(self, network: nn.Module, step: int, part: Part, device: torch.device) -> Iterator[None]:
        """By (seed, step, number in the batch, layer, channel).

        Layers of torch know nothing of rows: they draw from the global generators, which begin with a seed of
        (seed, step, first row).
        """
        own = step_seed(step_seed(self.seed, step), part.rows.start)
        with seeded(own, device), dropping(network, seed=self.seed, step=step, rows=part.rows, device=device):
            yield


@final
@attrs.frozen
class BatchDraws(StepDraws):
    """Draws for a whole batch, latent noise by the generator of the processor: those of early versions."""

    def latent(self, step: int, part: Part) -> NoiseSource:
        """By (seed, step), level after level; a part has its own of what is drawn for the whole."""
        whole = GeneratorNoise(torch.Generator().manual_seed(step_seed(self.seed, step)))
        return whole if len(part.rows) == part.total else PartNoise(whole, part.rows, part.total)

    def dropping(
        self, network: nn.Module, step: int, part: Part, device: torch.device
    ) -> AbstractContextManager[None]:
        """From the global generators, which begin with a seed of (seed, step, first row)."""
        del network
        return seeded(step_seed(self.seed, step) + part.rows.start, device)


STEP_DRAWS: Final[Mapping[str, Callable[[int], StepDraws]]] = {
    "box_muller": RowDraws,
    "generator": BatchDraws,
}
"""By ``training.noise``, of a seed."""
