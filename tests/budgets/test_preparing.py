"""How often the pixels of a field that is not in memory are decoded before its first training step."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from denoisplit.core.arrays import AnyArray, Window
from denoisplit.core.images import block_walks, lazy
from denoisplit.core.spec import load_spec
from denoisplit.core.training.data.prepare import prepare
from denoisplit.plugins.image_formats import _zarr_nodes
from tests.budgets.counting import within
from tests.e2e.large import SPEC, TILE, write_zarr

SIDE = 768

PASSES = 4
"""Of images as they are: the data set's check and that of its fields, what they are known by, statistics."""

PASSES_OF_QUANTILES = 6
"""Another check; background; ceiling, of changed channels that are each read with all; mixed image, twice."""

BORDERS = 1.17
"""Regions of a field end inside chunks, which both neighbours decode."""

CORNER = 1 / (SIDE // TILE) ** 2
"""The first chunk of every channel tells that the field is not blank."""


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Pixels of the chunks that are decoded, read by read; blocks are a few rows of an image."""
    found: list[int] = []

    def read(array: Any, region: Window) -> AnyArray:
        whole = [
            min(-(-part.stop // side) * side, length) - part.start // side * side
            for part, side, length in zip(region, array.chunks, array.shape, strict=True)
        ]
        found.append(int(np.prod(whole)))
        return np.asarray(array[region])

    monkeypatch.setattr(_zarr_nodes, "_read", read)
    monkeypatch.setattr(lazy, "LAZY_FROM", 1)
    monkeypatch.setattr(block_walks, "BLOCK_PIXELS", SIDE * 50)
    monkeypatch.setattr("denoisplit.core.images.block_hashes.BLOCK_PIXELS", SIDE * 50)
    return found


def times(folder: Path, decoded: list[int], *changes: str) -> float:
    """How often every pixel of a field is decoded to prepare a training."""
    name = "large.ome.zarr"
    write_zarr(folder / name, 2, SIDE)
    spec = folder / "spec.yaml"
    files = f'use: folder, observed: "{name}"'
    spec.write_text(SPEC.format(folder=folder, files=files, memory=0, noise=0.0), encoding="utf-8")
    prepare(load_spec(spec, changes))
    return sum(decoded) / (2 * SIDE * SIDE)


@pytest.mark.parametrize("mode", ["mean", "sum"])
def test_passes_over_the_pixels(tmp_path: Path, decoded: list[int], mode: str) -> None:
    found = times(tmp_path, decoded, f"data.mixing.mode={mode}", "data.split.gap=64")
    assert found > 3  # fewer would mean that something else reads them
    within(found, PASSES * BORDERS + CORNER, "times that every pixel is decoded before the first step")


def test_passes_with_background_and_ceiling(tmp_path: Path, decoded: list[int]) -> None:
    wanted = ("data.background.quantile=0.1", "data.clip.quantile=0.99", "data.split.gap=64")
    found = times(tmp_path, decoded, *wanted)
    every = (PASSES + PASSES_OF_QUANTILES) * BORDERS + CORNER
    within(found, every, "times that every pixel is decoded with quantiles")
