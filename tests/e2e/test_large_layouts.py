"""Every layout trains on files that are read piece by piece; the run is that of the same files in memory."""

import json
from pathlib import Path

import attrs
import numpy as np
import pytest
import torch

import denoisplit
from denoisplit.core.images import lazy
from denoisplit.core.images.lazy import is_lazy
from denoisplit.core.registry import installed_registry
from denoisplit.core.spec import parse_spec, resolve
from denoisplit.core.storage.image_files import installed_formats
from denoisplit.core.training.data.prepare import read_fields
from denoisplit.plugins.datasets.simulated import Simulated
from tests.e2e.layouts_everywhere import CHANNELS, LAYOUTS, Pair, saving

SPEC = """
preset: denoisplit
channels: [filaments, mitochondria]
data: {{train: {data}, validation_fraction: 0.34, background: {{quantile: 0.1}}, degradation: {noise}}}
model:
  encoder: {{levels: 2, width: 4}}
  decoder: {{latent_channels: 2}}
  noise_model: {{fit_pairs: 2000, fit_steps: 5}}
training: {{steps: 3, batch: 2, patch: 16, validate_every: 2, precision: float32, foreground: 0.5}}
prediction: {{samples: 2}}
"""
OTHERS = [layout for layout in LAYOUTS if layout != "folder"]


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    found: list[Pair] = []
    for field in Simulated(Simulated.Options(fields=3, size=40, seed=1), channels=CHANNELS).fields():
        assert field.clean is not None
        found.append((np.round(field.observed).astype(np.uint16), np.round(field.clean).astype(np.uint16)))
    return found


@pytest.mark.parametrize(
    ("layout", "noise"),
    [
        *((layout, "{}") for layout in OTHERS),
        ("folder", "{gaussian: 5.0, poisson: 2.0, dependent: false}"),
        ("separate_channels", "{gaussian: 5.0, poisson: 2.0, fresh: true}"),
    ],
)
def test_a_large_layout_trains_as_in_memory(
    tmp_path: Path, pairs: list[Pair], layout: str, noise: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lazy, "LAZY_FROM", 1)
    tiff = next(known for known in installed_formats() if ".tif" in known.suffixes)
    data = LAYOUTS[layout](tmp_path, pairs, *saving(tiff))
    runs = []
    for memory in (0, 1024):
        named = json.dumps({**data, "path": str(tmp_path), "memory": memory})
        spec = resolve(parse_spec(SPEC.format(data=named, noise=noise)), installed_registry())
        fields = read_fields(spec.data.train, CHANNELS)
        assert [is_lazy(field.observed) for field in fields] == [memory == 0] * 3
        runs.append(denoisplit.train(spec, tmp_path / f"run-{memory}"))
    large, whole = runs
    for one, other in zip(large.vse.state_dict().values(), whole.vse.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    assert attrs.evolve(large.bundle, spec=whole.spec) == whole.bundle
