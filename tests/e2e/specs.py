"""Experiments small enough for a test."""

from pathlib import Path

TINY = """
spec_version: 1
preset: denoisplit
channels: [filaments, mitochondria]
data:
  train: {use: simulated, fields: 3, size: 64, seed: 1}
  validation: {use: simulated, fields: 2, size: 48, seed: 2}
  test: {use: simulated, fields: 2, size: 50, seed: 3}
model:
  encoder: {levels: 2, width: 6}
  decoder: {latent_channels: 3}
  noise_model: {fit_pairs: 4000, fit_steps: 20}
training:
  steps: 24
  batch: 2
  patch: 16
  validate_every: 6
  checkpoint_every: 5
  plateau_patience: 0
  precision: float32
prediction: {samples: 3}
"""


def write_tiny(folder: Path) -> Path:
    """The tiny experiment as a spec file in ``folder``."""
    path = folder / "tiny.yaml"
    path.write_text(TINY, encoding="utf-8")
    return path
