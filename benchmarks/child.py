"""Tasks of separate processes, measured for their peak memory or their time from start to end.

python -m benchmarks.child TASK ...
"""

import tempfile
from pathlib import Path
from typing import Any

import click
import numpy as np


@click.group()
def main() -> None:
    """Run one task, then end the process."""


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("levels", type=int)
@click.argument("width", type=int)
@click.argument("latent", type=int)
@click.option("--patch", default=64)
def store(folder: Path, levels: int, width: int, latent: int, patch: int) -> None:
    """Store an untrained network as a run in FOLDER."""
    from benchmarks.inputs import STATISTICS, Architecture, network, spec_of, write_noise_models
    from denoisplit.core.precision.probe import Purpose
    from denoisplit.core.spec import component_versions, to_yaml
    from denoisplit.core.storage.bundle import Bundle, save_bundle
    from denoisplit.core.storage.run_folder import RunFolder

    with tempfile.TemporaryDirectory() as name:
        noise = write_noise_models(Path(name))
        spec = spec_of(Architecture("stored", levels, width, latent), patch=patch, size=8, noise=noise)
        run = RunFolder(folder)
        folder.mkdir(parents=True)
        run.spec.write_text(to_yaml(spec), encoding="utf-8")
        bundle = Bundle(
            spec=spec,
            statistics=STATISTICS,
            noise_reports=(),
            calibration=None,
            components=component_versions(spec),
            data_fingerprint="",
            versions={},
            steps=0,
            best_step=0,
            best_loss=None,
        )
        save_bundle(run, network(spec, Purpose.PREDICTION).eval(), bundle)


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("side", type=int)
def image(file: Path, side: int) -> None:
    """Write a mixed image of SIDE x SIDE pixels to FILE."""
    import tifffile

    pixels: Any = tifffile.memmap(file, shape=(side, side), dtype=np.uint16, metadata={"axes": "YX"})
    rng = np.random.default_rng(0)
    for row in range(0, side, 256):
        part = pixels[row : row + 256]
        part[:] = rng.poisson(500, part.shape)
    pixels.flush()


@main.command()
@click.argument("levels", type=int)
@click.argument("width", type=int)
@click.argument("latent", type=int)
@click.argument("patch", type=int)
@click.argument("size", type=int)
def train(levels: int, width: int, latent: int, patch: int, size: int) -> None:
    """Take three training steps."""
    from benchmarks.inputs import Architecture, batch, spec_of, write_noise_models
    from benchmarks.training import our_step

    with tempfile.TemporaryDirectory() as name:
        noise = write_noise_models(Path(name))
        spec = spec_of(Architecture("trained", levels, width, latent), patch=patch, size=size, noise=noise)
        step, _ = our_step(spec, batch(patch=patch, size=size))
        for _ in range(3):
            step()


@main.command()
@click.argument("pairs", type=int)
def fit(pairs: int) -> None:
    """Fit a mixture to as many PAIRS of signal and observation."""
    import denoisplit.core.registry as registry
    from benchmarks.inputs import STATISTICS
    from denoisplit.core.network.interfaces import NoiseModel, NoisePairs

    rng = np.random.default_rng(0)
    signal = rng.uniform(100, 1000, pairs).astype(np.float32)
    noisy = rng.poisson(signal).astype(np.float32)
    target = registry.installed_registry().find("noise_model", "gaussian_mixture").load()
    model: NoiseModel = target(target.Options(), statistics=STATISTICS)
    model.fit([NoisePairs(signal, noisy)] * STATISTICS.channels, seed=0)


@main.command()
@click.argument("run", type=click.Path(exists=True, path_type=Path))
def load(run: Path) -> None:
    """Open RUN."""
    import denoisplit

    denoisplit.load(run)


@main.command()
@click.argument("run", type=click.Path(exists=True, path_type=Path))
@click.argument("side", type=int)
def tile(run: Path, side: int) -> None:
    """Open RUN and predict two samples of an image of SIDE x SIDE pixels."""
    import denoisplit

    pixels = np.random.default_rng(0).poisson(500, (side, side)).astype(np.float32)
    denoisplit.load(run).predict(pixels, samples=2)


@main.command()
def step() -> None:
    """Print the median time of some training steps of small convolutions in two threads, seconds.

    Imports nothing of denoisplit, which would choose how threads wait.
    """
    import time

    import torch

    torch.set_num_threads(2)
    layers = [
        (torch.nn.Conv2d(16, 16, 3, padding=1), torch.nn.ELU(), torch.nn.BatchNorm2d(16)) for _ in range(4)
    ]
    network = torch.nn.Sequential(*(module for three in layers for module in three))
    optimizer, image, seconds = torch.optim.Adamax(network.parameters()), torch.randn(4, 16, 64, 64), []
    for _ in range(23):
        start = time.perf_counter()
        optimizer.zero_grad()
        torch.autograd.backward(network(image).square().mean())
        optimizer.step()
        seconds.append(time.perf_counter() - start)
    click.echo(sorted(seconds[3:])[10])


if __name__ == "__main__":
    main()
