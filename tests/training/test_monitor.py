"""What a training goes by: the validation loss, or the PSNR of samples against the noisy targets."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest
import torch

import denoisplit
from denoisplit.core.errors import ImageError
from denoisplit.core.spec.records import TrainingSpec
from denoisplit.core.training.schedule import after_validation
from denoisplit.core.training.steps.descent import monitored, optimizer_of, schedule_of
from denoisplit.core.training.steps.monitor import MONITORS, validation_psnr
from tests.network.small import network

SPEC = """
preset: altered-musplit
channels: [filaments, puncta]
data:
  train: {use: simulated, fields: 2, size: 20, seed: 1, structures: [filaments, puncta]}
  validation: {use: simulated, fields: 2, size: 20, seed: 2, structures: [filaments, puncta]}
model: {encoder: {levels: 2, width: 4}, decoder: {latent_channels: 2}}
training:
  {steps: 16, batch: 1, patch: 16, validate_every: 2, learning_rate: 0.05, precision: float32, monitor: psnr}
prediction: {samples: 2}
"""


def test_the_psnr_pools_the_range_and_the_mean_squared_errors_of_all_fields() -> None:
    rng = np.random.default_rng(0)
    targets = [rng.normal(200, 30, (2, 3, 9, 7)), rng.normal(250, 30, (1, 3, 5, 8))]
    signals = [target + rng.normal(0, 10, target.shape) for target in targets]
    images = [
        (target, signal)
        for both in zip(targets, signals, strict=True)
        for target, signal in zip(*both, strict=True)
    ]
    scores = []
    for channel in range(3):
        highest = max(target[channel].max() for target, _ in images)
        lowest = min(target[channel].min() for target, _ in images)
        errors = [np.mean((target[channel] - signal[channel]) ** 2) for target, signal in images]
        scores.append(20 * math.log10((highest - lowest) / math.sqrt(np.mean(errors))))
    pairs = [(torch.tensor(s), torch.tensor(t)) for s, t in zip(signals, targets, strict=True)]
    assert validation_psnr(pairs) == pytest.approx(np.mean(scores), rel=1e-9)


def test_a_dark_field_counts_and_a_dark_channel_is_refused() -> None:
    bright, dark = torch.linspace(0, 100, 64).reshape(1, 1, 8, 8), torch.zeros(1, 1, 8, 8)
    # Errors of 1 and 3: the range is 100, the mean squared error 5.
    found = validation_psnr([(bright + 1, bright), (dark + 3, dark)])
    assert found == pytest.approx(20 * math.log10(100 / math.sqrt(5)), rel=1e-6)
    with pytest.raises(
        ImageError, match=r"channel 1 is constant in all fields, so it has no PSNR \(got 0\.0\)"
    ):
        validation_psnr([(torch.cat([bright, dark], 1), torch.cat([bright, dark], 1))])


@pytest.mark.parametrize(("name", "better"), [("loss", 1.0), ("psnr", 3.0)])
def test_lower_losses_and_higher_psnrs_are_better(name: str, better: float) -> None:
    monitor = MONITORS[name]
    assert monitor.improves(better, 2.0)
    assert not monitor.improves(2.0, better)
    assert not monitor.improves(2.0, 2.0)
    assert monitor.improves(-1e9 if name == "psnr" else 1e9, monitor.worst)


def test_the_plateau_is_one_of_the_psnr() -> None:
    given = TrainingSpec(monitor="psnr", plateau_patience=1)
    schedule = schedule_of(optimizer_of(network(), given), given)
    for value in (10.0, 11.0, 12.0, 13.0):
        after_validation(schedule, monitored(given, {"val_psnr": value, "val_loss": 0.0}))
    assert schedule.get_last_lr() == [given.learning_rate]
    for value in (12.0, 11.0):
        after_validation(schedule, monitored(given, {"val_psnr": value, "val_loss": 0.0}))
    assert schedule.get_last_lr() == [given.learning_rate / 2]


def test_the_weights_of_the_best_psnr_are_kept(tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC, encoding="utf-8")
    run = denoisplit.train(spec, tmp_path / "run")
    with run.folder.metrics.open(newline="", encoding="utf-8") as file:
        rows = {int(row["step"]): row for row in csv.DictReader(file)}
    best = max(rows, key=lambda step: float(rows[step]["val_psnr"]))
    assert run.bundle.best_step == best
    assert run.bundle.best_loss == pytest.approx(float(rows[best]["val_loss"]), rel=1e-6)
    plain = denoisplit.train(spec, tmp_path / "plain", overrides=["training.monitor=loss"])
    with plain.folder.metrics.open(newline="", encoding="utf-8") as file:
        losses = {int(row["step"]): float(row["val_loss"]) for row in csv.DictReader(file)}
    assert losses == {step: float(row["val_loss"]) for step, row in rows.items()}, "the same training"
    assert plain.bundle.best_step == min(losses, key=losses.__getitem__)
