"""The procedure of the reference: a training step, and prediction by overlapping patches.

Written from the description of the method (sections 2.2 to 2.4, 3.2, 4.1, 6 and 7).
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from benchmarks.inputs import STATISTICS, Batch
from benchmarks.reference import LevelTerms, ReferenceNetwork
from benchmarks.reference_tiling import ReferenceGrid
from benchmarks.timing import Clock

_TOLERANCE: Final = 1e-10
FREE_BITS: Final = 1.0
LEARNING_RATE: Final = 1e-3
CLIP: Final = 0.5


class Mixture(nn.Module):
    """The noise model of one channel as the reference evaluates it: densities in plain exponentials."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        with np.load(path, allow_pickle=False) as file:
            self.weight = nn.Parameter(torch.from_numpy(file["trained_weight"]), requires_grad=False)
            self.low, self.high = torch.from_numpy(file["min_signal"]), torch.from_numpy(file["max_signal"])
            self.floor = float(file["min_sigma"])
        self.components = self.weight.shape[0] // 3

    def forward(self, observation: Tensor, signal: Tensor) -> Tensor:
        """Return the density of an observation, both [b 1 y x] in counts."""
        count = self.components
        means = [self._polynomial(self.weight[k], signal) for k in range(count)]
        stds = [
            self._polynomial(self.weight[count + k].exp(), signal).clamp(min=self.floor).sqrt()
            for k in range(count)
        ]
        shares = [
            (self._polynomial(self.weight[2 * count + k], signal) + _TOLERANCE).exp() for k in range(count)
        ]
        total = sum(shares[1:], start=shares[0])
        shares = [share / total for share in shares]
        products = [share * mean for share, mean in zip(shares, means, strict=True)]
        shift = sum(products[1:], start=products[0])
        density = torch.zeros_like(signal)
        for mean, std, share in zip(means, stds, shares, strict=True):
            distance = -((observation - (mean - shift + signal)) ** 2) / (2 * std * std)
            density = density + share * torch.exp(distance) / torch.sqrt(2 * math.pi * std * std)
        return density + _TOLERANCE

    def _polynomial(self, coefficients: Tensor, signal: Tensor) -> Tensor:
        value = torch.zeros_like(signal)
        for power in range(len(coefficients)):
            value = value + coefficients[power] * ((signal - self.low) / (self.high - self.low)) ** power
        return value


def distortion(output: Tensor, targets: Tensor, mixtures: Sequence[nn.Module]) -> Tensor:
    """Return the mean negative log-likelihood of targets [b c y x] in counts; ``output`` is normalised."""
    signal = STATISTICS.to_counts(output)
    densities = [mixture(targets[:, c : c + 1], signal[:, c : c + 1]) for c, mixture in enumerate(mixtures)]
    return -torch.log(torch.cat(densities, dim=1)).mean()


def rate(terms: Sequence[LevelTerms], pixels: int) -> Tensor:
    """Return the KL divergence in nats per pixel, with free bits per level."""
    divergences = [term.divergence for term in terms if term.divergence is not None]
    return (torch.stack(divergences, dim=1).clamp(min=FREE_BITS).mean(0) / pixels).sum()


@attrs.frozen
class ReferenceTraining:
    """Training steps on one batch."""

    network: ReferenceNetwork
    mixtures: nn.ModuleList
    mixed: Tensor
    targets: Tensor
    optimizer: torch.optim.Optimizer

    @classmethod
    def of(cls, network: ReferenceNetwork, noise: Sequence[Path], batch: Batch) -> "ReferenceTraining":
        """Prepare training on a batch in counts; the mixed image arrives normalised, the targets do not."""
        return cls(
            network.train(),
            nn.ModuleList(Mixture(path) for path in noise),
            torch.from_numpy(batch.normalised().mixed),
            torch.from_numpy(batch.targets),
            torch.optim.Adamax(network.parameters(), lr=LEARNING_RATE),
        )

    def step(self) -> float:
        """Take one step, and return the loss."""
        self.optimizer.zero_grad()
        output, terms = self.network(self.mixed)
        loss = distortion(output, self.targets, list(self.mixtures))
        loss = loss + rate(terms, self.mixed.shape[-1] * self.mixed.shape[-2])
        torch.autograd.backward([loss])
        torch.nn.utils.clip_grad_value_(self.network.parameters(), CLIP)
        self.optimizer.step()
        return float(loss.detach())


@attrs.frozen(kw_only=True)
class ReferencePrediction:
    """Prediction of a frame: patches around the cells of a grid, all passes of one batch after the other.

    Attributes:
        network: network in evaluation mode.
        patch: side of a patch, pixels.
        cell: side of the part that is kept, pixels.
        passes: posterior samples.
        size: patches per pass.
    """

    network: ReferenceNetwork
    patch: int = 128
    cell: int = 64
    passes: int = 50
    size: int = 8

    def grid(self, side: int) -> ReferenceGrid:
        """Return the patches of a frame."""
        return ReferenceGrid(frames=1, shape=(side, side), patch=(self.patch,) * 2, grid=(self.cell,) * 2)

    def moments(self, patches: npt.NDArray[Any], passes: int) -> tuple[Tensor, Tensor]:
        """Return mean and std [b c y x], counts, of patches [b 1 y x] in counts, from full passes."""
        mixed = STATISTICS.normalise_mixed(torch.from_numpy(np.ascontiguousarray(patches)))
        with torch.no_grad():
            kept = [self.network(mixed, predicting=True)[0].cpu() for _ in range(passes)]
        samples = torch.stack(kept)
        mean, std = samples.mean(0), samples.std(0)
        return STATISTICS.to_counts(mean), std * STATISTICS.per_channel(STATISTICS.target_std, std)

    def predict(self, frame: npt.NDArray[np.float32]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Return mean and std [c y x] of a square frame [y x]."""
        grid = self.grid(frame.shape[0])
        means, stds = [], []
        for first in range(0, len(grid), self.size):
            items = range(first, min(first + self.size, len(grid)))
            mean, std = self.moments(
                np.stack([grid.tile(frame[None, None], item) for item in items]), self.passes
            )
            means.append(mean.numpy())
            stds.append(std.numpy())
        return grid.stitch(np.concatenate(means))[0], grid.stitch(np.concatenate(stds))[0]

    def seconds(self, frame: npt.NDArray[np.float32], *, passes: int, clock: Clock) -> float:
        """Estimate the seconds for a whole frame from some passes over one batch of patches in its middle."""
        grid = self.grid(frame.shape[0])
        first = max(0, len(grid) // 2 - self.size // 2)
        items = range(first, min(first + self.size, len(grid)))
        start = clock()
        patches = np.stack([grid.tile(frame[None, None], item) for item in items])
        self.moments(patches, passes)
        return (clock() - start) * len(grid) / len(items) * self.passes / passes
