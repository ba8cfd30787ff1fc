"""Whole trainings of a few steps: which weights are kept, when training ends, what an end leaves behind."""

import csv
import json
import math
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file
from torch import Tensor

import denoisplit
from denoisplit.cli import main
from denoisplit.core.errors import NonFiniteLossError, SpecError
from denoisplit.core.images.bases import Image
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.outputs.posterior import predict
from denoisplit.core.spec.records import PredictionSpec
from denoisplit.core.storage.run_folder import RunFolder
from denoisplit.core.training.watchers.watching import Moment, Watcher
from denoisplit.plugins.image_formats.ome_tiff import OmeTiff
from denoisplit.plugins.noise_models.gaussian_mixture import GaussianMixture
from denoisplit.testing.dataset_laws import layouts

SPEC = """
preset: altered-musplit
channels: [filaments, puncta]
data:
  train: {use: simulated, fields: 2, size: 20, seed: 1, structures: [filaments, puncta]}
  validation: {use: simulated, fields: 1, size: 20, seed: 2, structures: [filaments, puncta]}
model: {encoder: {levels: 2, width: 4}, decoder: {latent_channels: 2}}
training: {steps: 6, batch: 1, patch: 16, validate_every: 2, checkpoint_every: 1, precision: float32}
prediction: {samples: 2}
"""

STACKS = """
preset: denoisplit
channels: [a, b]
data: {train: {use: folder, path: stacks}, validation_fraction: 0.4}
model:
  dimensions: 3
  encoder: {use: ladder_3d_to_2d, levels: 2, width: 4}
  decoder: {latent_channels: 2}
  noise_model: {use: gaussian_mixture}
training: {steps: 2, batch: 1, patch: [8, 16, 16], precision: float32}
"""


class Capture(Watcher):
    """Keeps the network that is being trained."""

    vse: VSE

    def begun(self, now: Moment) -> None:
        self.vse = now.vse


class Interrupt(Watcher):
    """Ctrl-C at the end of a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def stepped(self, now: Moment, loss: Tensor) -> None:
        if now.step == self.step:
            raise KeyboardInterrupt


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    file = tmp_path / "spec.yaml"
    file.write_text(SPEC, encoding="utf-8")
    return file


def curve(folder: RunFolder, column: str = "val_loss") -> dict[int, float]:
    with folder.metrics.open(newline="", encoding="utf-8") as file:
        return {int(row["step"]): float(row[column]) for row in csv.DictReader(file)}


def test_the_run_is_the_network_of_the_best_validation(spec: Path, tmp_path: Path) -> None:
    """Law 10 from the training on: the network in memory and the loaded one predict the same bits."""
    capture = Capture()
    run = denoisplit.train(spec, tmp_path / "run", watchers=[capture])
    losses = curve(run.folder)
    assert sorted(losses) == [2, 4, 6]
    assert run.bundle.best_step == min(losses, key=losses.__getitem__)
    assert run.bundle.best_loss == pytest.approx(min(losses.values()), rel=1e-6)
    assert run.bundle.steps == 6

    mixed = np.random.default_rng(0).normal(200, 50, (18, 21)).astype(np.float32)
    trained, loaded = (
        predict(vse, mixed, PredictionSpec(samples=2, seed=0)) for vse in (capture.vse, run.vse)
    )
    assert np.array_equal(trained.mean, loaded.mean)
    assert np.array_equal(np.asarray(trained.std), np.asarray(loaded.std))
    for one, two in zip(capture.vse.parameters(), run.vse.parameters(), strict=True):
        assert one.stride() == two.stride()


def test_two_trainings_of_one_spec_are_equal_and_another_seed_differs(spec: Path, tmp_path: Path) -> None:
    weights = []
    for number, seed in enumerate((0, 0, 1)):
        torch.manual_seed(number)
        run = denoisplit.train(
            spec, tmp_path / str(number), overrides=[f"training.seed={seed}", "training.steps=2"]
        )
        weights.append(load_file(run.folder.weights))
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert not torch.equal(weights[0]["decoder.output.weight"], weights[2]["decoder.output.weight"])


def test_training_stops_when_validation_no_longer_improves(
    spec: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    overrides = [
        "training.steps=60",
        "training.validate_every=1",
        "training.stop_patience=2",
        "training.learning_rate=0.1",
    ]
    with caplog.at_level("INFO", "denoisplit"):
        run = denoisplit.train(spec, tmp_path / "run", overrides=overrides)
    losses = curve(run.folder)
    last = max(losses)
    said = f"no improvement of val_loss in 2 validations since step {last - 2}, so the training ends"
    assert [line for line in caplog.messages if "stop_patience" in line] == [
        f"{said} (training.stop_patience)"
    ]
    assert last < 60
    assert run.bundle.best_step == last - 2
    assert run.bundle.steps == last


def test_a_network_that_makes_one_plane_of_a_stack_is_refused_before_the_noise_is_fitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A spec that was resolved by the caller has not been checked without its images."""
    rng, file = np.random.default_rng(0), tmp_path / "stacks.yaml"
    (tmp_path / "stacks").mkdir()
    for number in range(3):
        image = Image(data=rng.normal(100, 10, (2, 8, 16, 16)).astype(np.float32), axes="czyx")
        OmeTiff(OmeTiff.Options()).write(tmp_path / "stacks" / f"{number}.ome.tif", image)
    file.write_text(STACKS, encoding="utf-8")

    def fit(*_: object, **__: object) -> None:
        raise AssertionError("fitted")

    monkeypatch.setattr(GaussianMixture, "fit", fit)
    with pytest.raises(SpecError, match=r"one plane of a stack.* \(got 3 axes of images and 2 of features\)"):
        denoisplit.train(denoisplit.load_spec(file), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_not_finite_ends_the_training(spec: Path, tmp_path: Path) -> None:
    diverging = "training.learning_rate=1e30"
    with pytest.raises(NonFiniteLossError, match=r"training step \d: distortion is not finite\. Lower"):
        denoisplit.train(spec, tmp_path / "api", overrides=[diverging])
    assert not RunFolder(tmp_path / "api").bundle.exists()
    result = CliRunner().invoke(
        main, ["train", str(spec), "--out", str(tmp_path / "cli"), "--set", diverging]
    )
    assert result.exit_code == 2
    assert "distortion is not finite. Lower training.learning_rate" in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.output


def test_gradients_are_clipped_by_their_norm(spec: Path, tmp_path: Path) -> None:
    """By the same rule on every device; clipped by value, they would have a larger norm."""
    norms = []

    class Norms(Watcher):
        def stepped(self, now: Moment, loss: Tensor) -> None:
            gradients = [p.grad for p in now.vse.parameters() if p.grad is not None]
            norms.append(float(torch.stack([g.norm() for g in gradients]).norm()))

    denoisplit.train(spec, tmp_path / "run", overrides=["training.gradient_clip=1e-3"], watchers=[Norms()])
    assert norms == pytest.approx([1e-3] * 6, rel=1e-3)


WARM = "training.schedule={use: cosine, warmup: 2}"

# Checkpoints before and after validations, schedules that have just changed the rate, patience that runs out.
RESTLESS = {
    name: [*named, "training.learning_rate=0.1", "training.stop_patience=2"]
    for name, named in {
        # With the draws of the other name, the plateau would not be reached.
        "plateau": ["training.schedule=plateau", "training.plateau_patience=0", "training.noise=generator"],
        "cosine": ["training.schedule=cosine"],
        "others": ["training.optimizer={use: adamw, weight_decay: 0.1}", WARM],
    }.items()
}


@pytest.fixture(scope="module", params=list(RESTLESS))
def sort(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def whole(sort: str, tmp_path_factory: pytest.TempPathFactory) -> denoisplit.Run:
    folder = tmp_path_factory.mktemp("whole")
    (folder / "spec.yaml").write_text(SPEC, encoding="utf-8")
    return denoisplit.train(folder / "spec.yaml", folder / "run", overrides=RESTLESS[sort])


def test_the_learning_rate_follows_its_schedule(sort: str, whole: denoisplit.Run) -> None:
    rates = curve(whole.folder, "learning_rate")
    if sort == "plateau":
        assert list(rates.values())[-1] < 0.1
        assert set(rates.values()) <= {0.1, 0.05, 0.025}
    else:
        warm = 0 if sort == "cosine" else 2
        share = {step: (1 + math.cos(math.pi * (step - warm) / (6 - warm))) / 2 for step in rates}
        expected = {step: 0.1 * (one if step >= warm else (step + 1) / warm) for step, one in share.items()}
        assert rates == pytest.approx(expected, rel=1e-5, abs=1e-9)


# In the warm-up and before the first validation; at a validation; between two.
@pytest.mark.parametrize(
    "step", [1, 4, 5, *(pytest.param(step, marks=pytest.mark.slow) for step in (2, 3, 6))]
)
def test_law_12_an_interrupted_training_continues_bit_for_bit(
    spec: Path, tmp_path: Path, sort: str, whole: denoisplit.Run, step: int
) -> None:
    out, overrides = tmp_path / "interrupted", RESTLESS[sort]
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        denoisplit.train(spec, out, overrides=overrides, watchers=[Interrupt(step)])
    assert signal.getsignal(signal.SIGINT) is handler
    assert not RunFolder(out).bundle.exists()
    denoisplit.train(spec, out, overrides=overrides, resume=True)
    _assert_equal(RunFolder(out), whole.folder)


def _assert_equal(found: RunFolder, expected: RunFolder) -> None:
    weights = load_file(expected.weights)
    assert all(torch.equal(weights[name], tensor) for name, tensor in load_file(found.weights).items())
    assert found.metrics.read_text() == expected.metrics.read_text()
    assert found.bundle.read_text() == expected.bundle.read_text()


SEPARATE = """
preset: altered-musplit
channels: [mito, actin]
data:
  train: {use: separate_channels, path: images}
  split: {rule: random, test_fraction: 0.2}
  validation_fraction: 0.2
model: {encoder: {levels: 2, width: 4}, decoder: {latent_channels: 2}}
training:
  {steps: 4, batch: 2, patch: 16, foreground: 0.5, augment: true, validate_every: 2, checkpoint_every: 1}
prediction: {samples: 2}
"""


def test_structures_of_different_fields_train_and_an_interrupted_run_ends_with_the_same_weights(
    tmp_path: Path,
) -> None:
    layouts.channel_folders(tmp_path / "images", ("mito", "actin"), 2)
    spec = tmp_path / "separate.yaml"
    spec.write_text(SEPARATE, encoding="utf-8")
    whole = denoisplit.train(spec, tmp_path / "whole")
    names = json.loads(whole.folder.splits.read_text(encoding="utf-8"))
    assert {part: len(fields) for part, fields in names.items()} == {"train": 4, "validation": 1, "test": 1}
    assert len({name for part in names.values() for name in part}) == 6
    with pytest.raises(KeyboardInterrupt):
        denoisplit.train(spec, tmp_path / "cut", watchers=[Interrupt(2)])
    resumed = denoisplit.train(spec, tmp_path / "cut", resume=True)
    expected, found = load_file(whole.folder.weights), load_file(resumed.folder.weights)
    assert all(torch.equal(found[name], value) for name, value in expected.items())
    assert np.isfinite(list(curve(whole.folder).values())).all()
