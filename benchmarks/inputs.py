"""Networks and images that all contestants get."""

import json
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

import denoisplit
from denoisplit.core.devices import PROCESSOR
from denoisplit.core.network.interfaces import IntensityStats
from denoisplit.core.network.vse import VSE
from denoisplit.core.precision.choice import choose
from denoisplit.core.precision.probe import Purpose
from denoisplit.core.registry import installed_registry
from denoisplit.core.spec import parse_spec, resolve
from denoisplit.core.spec.records import ResolvedSpec

CHANNELS: Final = ("first", "second")
COMPONENTS: Final = 3

STATISTICS: Final = IntensityStats(
    mixed_mean=500.0, mixed_std=100.0, target_mean=(480.0, 520.0), target_std=(110.0, 130.0)
)


@attrs.frozen
class Architecture:
    """A ladder network.

    Attributes:
        name: name in the results.
        levels: levels of the hierarchy.
        width: feature channels.
        latent: latent channels.
    """

    name: str
    levels: int
    width: int
    latent: int

    def __str__(self) -> str:
        return f"{self.name} ({self.levels} levels, width {self.width}, latent {self.latent})"


FULL: Final = Architecture("denoisplit", 4, 64, 128)
SMALL: Final = Architecture("small", 4, 32, 32)
SLIM: Final = Architecture("slim", 3, 16, 8)
TINY: Final = Architecture("tiny", 2, 8, 4)


def in_units_of(statistics: IntensityStats, targets: Tensor) -> Tensor:
    """Convert target channels [b c y x] from counts to the units of the network."""
    mean, std = (
        statistics.per_channel(one, targets) for one in (statistics.target_mean, statistics.target_std)
    )
    return (targets - mean) / std


@attrs.frozen
class Batch:
    """Training patches: mixed [b 1 y x] and targets [b c y x], counts."""

    mixed: npt.NDArray[np.float32]
    targets: npt.NDArray[np.float32]

    def normalised(self) -> "Batch":
        """Return both in the units of the network, as the other contestants expect them."""
        mixed, targets = torch.from_numpy(self.mixed), torch.from_numpy(self.targets)
        return Batch(STATISTICS.normalise_mixed(mixed).numpy(), in_units_of(STATISTICS, targets).numpy())


def batch(*, patch: int, size: int, seed: int = 0) -> Batch:
    """Return patches of smooth structures with shot noise; their contents do not affect the work."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(200, 800, (size, len(CHANNELS), -(-patch // 8), -(-patch // 8)))
    clean = np.kron(coarse, np.ones((1, 1, 8, 8)))[..., :patch, :patch]
    targets = rng.poisson(clean).astype(np.float32)
    return Batch(targets.mean(1, keepdims=True, dtype=np.float32), targets)


def frame(side: int, *, seed: int = 0) -> npt.NDArray[np.float32]:
    """Return a mixed image [y x], counts."""
    mixed: npt.NDArray[np.float32] = batch(patch=side, size=1, seed=seed).mixed[0, 0]
    return mixed


def write_noise_models(folder: Path) -> tuple[Path, ...]:
    """Write a mixture of three Gaussians per channel, in the exchange format that all contestants read."""
    rng = np.random.default_rng(7)
    paths = []
    for name in CHANNELS:
        weight = rng.normal(0, 0.3, (3 * COMPONENTS, 2))
        weight[COMPONENTS : 2 * COMPONENTS] = np.log([400.0, 900.0])  # variances grow with the signal
        arrays: dict[str, Any] = {
            "trained_weight": weight.astype(np.float32),
            "min_signal": np.full(1, 100, np.float32),
            "max_signal": np.full(1, 1000, np.float32),
            "min_sigma": np.float32(50),
        }
        path = folder / f"noise_{name}.npz"
        np.savez(path, allow_pickle=False, **arrays)
        paths.append(path)
    return tuple(paths)


def spec_of(
    architecture: Architecture, *, patch: int, size: int, noise: tuple[Path, ...], precision: str = "auto"
) -> ResolvedSpec:
    """Return the preset ``denoisplit`` with another network."""
    plain = {
        "spec_version": 1,
        "preset": "denoisplit",
        "channels": list(CHANNELS),
        "data": {"train": {"use": "simulated"}},
        "model": {
            "encoder": {"levels": architecture.levels, "width": architecture.width},
            "decoder": {"latent_channels": architecture.latent},
            "noise_model": {"path": [str(path) for path in noise]},
        },
        "training": {"patch": patch, "batch": size, "precision": precision},
    }
    return resolve(parse_spec(json.dumps(plain), name="spec of the benchmark"), installed_registry())


def network(spec: ResolvedSpec, purpose: Purpose = Purpose.TRAINING, *, seed: int = 0) -> VSE:
    """Return the untrained network of a spec, in the precision that the spec asks for."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        vse = denoisplit.build(spec, stats=STATISTICS)
    vse.precision = choose(spec, vse, PROCESSOR, purpose).name
    return vse


def parameters(module: torch.nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
