"""A trained run for the tests of the plugin, as small as one can be."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import denoisplit

SPEC = """
spec_version: 1
preset: denoisplit
channels: [filaments, mitochondria]
data:
  train: {use: simulated, fields: 2, size: 20, seed: 1}
  validation: {use: simulated, fields: 1, size: 20, seed: 2}
  test: {use: simulated, fields: 1, size: 24, seed: 3}
model:
  encoder: {levels: 2, width: 4}
  decoder: {latent_channels: 2}
  noise_model: {fit_pairs: 1000, fit_steps: 3}
training: {steps: 2, batch: 1, patch: 16, validate_every: 1, precision: float32}
prediction: {samples: 2}
"""

Pixels = npt.NDArray[np.float32]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run: look, do not change."""
    folder = tmp_path_factory.mktemp("plugin")
    (folder / "spec.yaml").write_text(SPEC, encoding="utf-8")
    denoisplit.train(folder / "spec.yaml", folder / "run")
    return folder / "run"


@pytest.fixture
def mixed() -> Pixels:
    """Pixels of a mixed image, counts."""
    return np.random.default_rng(0).normal(110, 6, (18, 22)).astype(np.float32)
