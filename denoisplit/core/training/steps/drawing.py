"""Random draws of a training step, latent noise and dropout, by their names in a spec."""

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
from denoisplit.core.training.steps.parts import Part


def step_seed(seed: int, step: int) -> int:
    """Hash (seed, step) to a number below 2^63 (splitmix64)."""
    mask = (1 << 64) - 1
    value = (seed * 0x9E3779B97F4A7C15 + (step + 2) * 0xBF58476D1CE4E5B9) & mask
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & mask
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & mask
    return (value ^ (value >> 31)) >> 1


@attrs.frozen
class StepDraws(ABC):
    """Random draws of the steps of a training: functions of the seed, the step and the part of its batch."""

    seed: int

    @abstractmethod
    def latent(self, step: int, part: Part) -> NoiseSource:
        """Return the latent noise of a part of the batch of a step."""

    @abstractmethod
    def dropping(
        self, network: nn.Module, step: int, part: Part, device: torch.device
    ) -> AbstractContextManager[None]:
        """Context in which a network on a device has the dropout of a part of the batch of a step."""


@final
@attrs.frozen
class RowDraws(StepDraws):
    """Separate draws for every patch of a batch, made on the network's device; see ``StepNoise``."""

    def latent(self, step: int, part: Part) -> NoiseSource:
        """Noise by (seed, step, number in the batch, level, place)."""
        return StepNoise(self.seed, step, part.rows)

    @contextmanager
    def dropping(self, network: nn.Module, step: int, part: Part, device: torch.device) -> Iterator[None]:
        """Dropout by (seed, step, number in the batch, layer, channel).

        Layers of torch do not know rows: they draw from the global generators, which start from a seed of
        (seed, step, first row).
        """
        own = step_seed(step_seed(self.seed, step), part.rows.start)
        with seeded(own, device), dropping(network, seed=self.seed, step=step, rows=part.rows, device=device):
            yield


@final
@attrs.frozen
class BatchDraws(StepDraws):
    """Draws for a whole batch, as in early versions; latent noise comes from the processor's generator."""

    def latent(self, step: int, part: Part) -> NoiseSource:
        """Noise by (seed, step), level after level; a part takes its rows of the draws of the whole batch."""
        whole = GeneratorNoise(torch.Generator().manual_seed(step_seed(self.seed, step)))
        return whole if len(part.rows) == part.total else PartNoise(whole, part.rows, part.total)

    def dropping(
        self, network: nn.Module, step: int, part: Part, device: torch.device
    ) -> AbstractContextManager[None]:
        """Dropout from the global generators, which start from a seed of (seed, step, first row)."""
        del network
        return seeded(step_seed(self.seed, step) + part.rows.start, device)


STEP_DRAWS: Final[Mapping[str, Callable[[int], StepDraws]]] = {
    "box_muller": RowDraws,
    "generator": BatchDraws,
}
"""Draws by the name in ``training.noise``, to be built from a seed."""
