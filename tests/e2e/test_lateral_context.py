"""Networks that see the surround of a patch: train, resume, predict, evaluate."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

import denoisplit
from denoisplit.core.errors import SpecError
from denoisplit.core.images.bases import Image
from denoisplit.core.training.data.prepare import evaluation_fields
from denoisplit.core.training.watchers.watching import Moment, Watcher
from denoisplit.plugins.image_formats.ome_tiff import OmeTiff

SPEC = """
preset: {preset}
channels: [filaments, puncta]
data:
  train: {{use: simulated, fields: 2, size: 49, seed: 1, structures: [filaments, puncta]}}
  validation: {{use: simulated, fields: 1, size: 37, seed: 2, structures: [filaments, puncta]}}
  test: {{use: simulated, fields: 1, size: 21, seed: 3, structures: [filaments, puncta]}}
model: {{encoder: {{levels: 3, width: 4, input_scales: 3}}, decoder: {{latent_channels: 2}}}}
training: {{steps: 4, batch: 2, patch: 16, validate_every: 2, checkpoint_every: 1, precision: float32}}
prediction: {{samples: 2}}
"""
CASES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "regular": ("musplit-regular", ()),
    "lean, turned patches": ("musplit-lean", ("training.augment=true",)),
    "deep, fresh noise": (
        "musplit-deep",
        ("training.augment=true", "data.degradation={gaussian: 5, poisson: 2, fresh: true}"),
    ),
}


class Interrupt(Watcher):
    """Ctrl-C at the end of a step."""

    def stepped(self, now: Moment, loss: Tensor) -> None:
        if now.step == 3:
            raise KeyboardInterrupt


def trained(folder: Path, case: str, name: str, **how: Any) -> denoisplit.Run:
    preset, overrides = CASES[case]
    spec = folder / "spec.yaml"
    spec.write_text(SPEC.format(preset=preset), encoding="utf-8")
    return denoisplit.train(spec, folder / name, overrides=overrides, **how)


@pytest.mark.parametrize("case", CASES)
def test_from_the_spec_to_the_scores(tmp_path: Path, case: str) -> None:
    run = trained(tmp_path, case, "run")
    assert run.bundle.best_loss is not None
    assert np.isfinite(run.bundle.best_loss)
    assert run.bundle.calibration is not None

    for shape in ((1, 2), (7, 40), (45, 33)):
        mixed = np.random.default_rng(0).uniform(90, 200, shape).astype(np.float32)
        prediction = run.predict(mixed)
        assert prediction.mean.shape == (2, *shape)
        assert np.isfinite(prediction.mean).all()
        assert prediction.calibrated_std is not None
    np.testing.assert_allclose(run.predict(mixed, tile=24).mean, prediction.mean, rtol=1e-4)

    name, fields = evaluation_fields(run.spec)
    scores, (evaluated,) = run.evaluate(fields, metrics=["psnr"])
    assert name == "test"
    assert evaluated.mean.shape == (2, 21, 21)
    assert scores


def test_a_training_that_was_stopped_goes_on_to_the_same_run(tmp_path: Path) -> None:
    case = "deep, fresh noise"
    run = trained(tmp_path, case, "run")
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path, case, "stopped", watchers=[Interrupt()])
    resumed = trained(tmp_path, case, "stopped", resume=True)
    expected = load_file(run.folder.weights)
    assert all(torch.equal(expected[n], weight) for n, weight in load_file(resumed.folder.weights).items())
    assert run.folder.metrics.read_text() == resumed.folder.metrics.read_text()
    mixed = np.random.default_rng(0).uniform(90, 200, (7, 40)).astype(np.float32)
    np.testing.assert_array_equal(resumed.predict(mixed).mean, run.predict(mixed).mean)


def test_stacks_see_a_surround_in_the_plane(tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC.format(preset="musplit-regular"), encoding="utf-8")
    volumes = [
        "model.dimensions=3",
        "model.encoder={levels: 2, input_scales: 3, strides: [[1, 2, 2], [1, 2, 2]]}",
        "data.train={use: folder, path: stacks}",
        "data.validation={use: folder, path: stacks/held}",
        "training.steps=1",
        "training.batch=1",
        "training.patch=8",
        "prediction.samples=1",
    ]
    (tmp_path / "stacks" / "held").mkdir(parents=True)
    for place in ("a", "held/b"):
        pixels = np.random.default_rng(len(place)).uniform(20, 200, (2, 8, 30, 34)).astype(np.float32)
        record = Image(data=pixels, axes="czyx", channel_names=("filaments", "puncta"))
        OmeTiff(OmeTiff.Options()).write(tmp_path / "stacks" / f"{place}.ome.tif", record)
    run = denoisplit.train(spec, tmp_path / "run", overrides=volumes)
    prediction = run.predict(pixels.mean(0)[:3, :17], axes="zyx")
    assert prediction.mean.shape == (2, 3, 17, 34)
    assert np.isfinite(prediction.mean).all()
    with pytest.raises(SpecError, match="halve y and x and leave z as it is"):
        denoisplit.train(spec, tmp_path / "other", overrides=[*volumes, "model.encoder.strides=[]"])
