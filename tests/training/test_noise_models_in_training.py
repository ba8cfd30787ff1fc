"""Noise models that are fitted before training, and one that is trained on, are stored with the run."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import denoisplit
from denoisplit.plugins.noise_models.gaussian_mixture import GaussianMixture

SPEC = """
preset: denoisplit
channels: [filaments, puncta]
data:
  train: {{use: simulated, fields: 2, size: 48, seed: 1, structures: [filaments, puncta]}}
  validation: {{use: simulated, fields: 1, size: 20, seed: 2, structures: [filaments, puncta]}}
model:
  encoder: {{levels: 2, width: 4}}
  decoder: {{latent_channels: 2}}
  noise_model: {noise_model}
training: {{steps: 3, batch: 1, patch: 16, validate_every: 3, checkpoint_every: 1, precision: float32}}
prediction: {{samples: 2}}
"""


def train(folder: Path, noise_model: str) -> denoisplit.Run:
    file = folder / "spec.yaml"
    file.write_text(SPEC.format(noise_model=noise_model), encoding="utf-8")
    return denoisplit.train(file, folder / "run")


@pytest.mark.parametrize(
    "noise_model",
    [
        "{use: histogram, bins: 32}",
        "{use: poisson_gaussian, fit_pairs: 1000, fit_steps: 5}",
        "[{use: poisson_gaussian, gain: 2.0, offset: 100, read_noise: 3.0}, {use: histogram, bins: 16}]",
    ],
)
def test_fitted_noise_models_are_part_of_the_run(tmp_path: Path, noise_model: str) -> None:
    run = train(tmp_path, noise_model)
    assert len(run.bundle.noise_reports) == (1 if noise_model.startswith("[") else 2)
    loaded = run.vse.noise_model
    assert not loaded.needs_fit
    signal = torch.full((1, 2, 3, 3), 300.0)
    assert loaded.log_prob(signal + 20, signal).isfinite().all()
    stored = load_file(run.folder.weights)
    for name, value in loaded.state_dict().items():
        assert torch.equal(stored[f"noise_model.{name}"], value)


def test_a_learnable_mixture_ends_elsewhere_than_its_fit(tmp_path: Path) -> None:
    weights = {}
    for learnable in ("false", "true"):
        folder = tmp_path / learnable
        folder.mkdir()
        run = train(folder, f"{{use: gaussian_mixture, fit_steps: 5, learnable: {learnable}}}")
        weights[learnable] = load_file(run.folder.weights)["noise_model.weights"]
    assert weights["true"].shape == weights["false"].shape
    assert 0 < float((weights["true"] - weights["false"]).abs().max()) < 0.1


def test_a_mixture_that_collapses_in_training_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def concerns(self: GaussianMixture) -> tuple[tuple[int, str], ...]:
        return ((1, "it collapsed"),)

    monkeypatch.setattr(GaussianMixture, "concerns", concerns)
    run = train(tmp_path, "{use: gaussian_mixture, fit_steps: 5, learnable: true}")
    assert "noise model of puncta after training: it collapsed" in run.folder.log.read_text(encoding="utf-8")
