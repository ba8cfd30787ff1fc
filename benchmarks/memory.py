"""Measure d: peak memory of prediction from file to file, of training, and of the fit of a noise model."""

import tempfile
import time
from pathlib import Path

import click

from benchmarks.children import CHILD, peak, run
from benchmarks.inputs import Architecture
from benchmarks.records import Row
from benchmarks.settings import Settings

PAIRS = 4_000_000
"""Pairs for a noise model: four frames of 1024 x 1024."""


def measure(settings: Settings) -> tuple[Row, ...]:
    """Measure the peak MiB of every task, each in a process of its own; libraries are included."""
    rows: list[Row] = []
    small = settings.memory_architecture
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        trained = str(folder / "run")
        run("-m", CHILD, "store", trained, *_shape(small))
        rows.append(_row(f"open a run of {small}", peak(CHILD, "load", trained)))
        for side in settings.memory_sides:
            try:
                found = _prediction(folder, trained, settings, side)
            except RuntimeError as error:
                # An image too large for the machine must not lose the earlier measurements.
                click.echo(f"left out: {side} x {side} pixels: {error}", err=True)
            else:
                rows.append(found)
    for architecture in settings.architectures:
        for patch, size in settings.batches:
            needed = peak(CHILD, "train", *_shape(architecture), str(patch), str(size))
            rows.append(_row(f"train {architecture}, {size} patches of {patch} x {patch}", needed))
    pairs = 2_000 if settings.quick else PAIRS
    rows.append(_row(f"fit two mixtures to {pairs} pairs each", peak(CHILD, "fit", str(pairs))))
    return tuple(rows)


def _prediction(folder: Path, trained: str, settings: Settings, side: int) -> Row:
    mixed, out = folder / f"mixed_{side}.tif", folder / f"channels_{side}.ome.tif"
    run("-m", CHILD, "image", str(mixed), str(side))
    start = time.perf_counter()
    found = peak(
        "denoisplit",
        "predict",
        trained,
        str(mixed),
        "--out",
        str(out),
        "--samples",
        "2",
        "--output",
        "mean,std",
        "--tile",
        str(settings.memory_tile),
    )
    took = time.perf_counter() - start
    for file in (mixed, out):
        file.unlink()
    note = f"2 samples, tiles of {settings.memory_tile}, from file to file, in {took:.0f} s"
    return _row(f"predict {side} x {side}, {settings.memory_architecture}", found, note)


def _shape(architecture: Architecture) -> tuple[str, str, str]:
    return str(architecture.levels), str(architecture.width), str(architecture.latent)


def _row(task: str, found: float, note: str = "") -> Row:
    return Row(case="peak memory", contestant=task, unit="MiB", values=(found,), note=note)
