"""A run learns and predicts on the device what it learns and predicts on the processor."""

import copy
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from lightning_fabric.accelerators.cpu import CPUAccelerator
from lightning_fabric.strategies.single_device import SingleDeviceStrategy

import denoisplit
from denoisplit.core.errors import NonFiniteLossError
from denoisplit.core.storage.run_folder import RunFolder
from denoisplit.core.training import trainable
from denoisplit.core.training.processes import joining
from denoisplit.testing.simulated_device import counted_transfers, simulated_device
from tests.e2e.experiment import Experiment

DEVICE = simulated_device()
OUTPUT = ("mean", "std", "total_std", "calibrated_std", "samples", "chi_square", "interval=0.3")


@pytest.mark.parametrize("tile", [0, 16])
def test_a_run_gives_every_image_and_the_same_verdict(experiment: Experiment, tile: int) -> None:
    here = denoisplit.load(experiment.run, device="cpu")
    there = attrs.evolve(here, vse=copy.deepcopy(here.vse).to(DEVICE))
    image = np.random.default_rng(0).normal(300, 40, (40, 37)).astype(np.float32)
    labels = np.zeros((40, 37), np.int32)
    labels[3:20, 5:30] = 1
    expected, found = (
        run.predict(image, samples=4, tile=tile, output=OUTPUT, labels=labels) for run in (here, there)
    )
    assert found.images.keys() == expected.images.keys()
    for name, values in expected.images.items():
        np.testing.assert_allclose(found.images[name], values, rtol=1e-4, atol=1e-3, err_msg=name)
    assert found.verdict.status == expected.verdict.status
    assert found.sums is not None


class OfTheDevice(CPUAccelerator):
    """Has nothing to set up."""

    def setup_device(self, device: torch.device) -> None:
        assert device == DEVICE


def on_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fabric knows no simulated device: it is told of one as it would find it."""

    def fabric(*, accelerator: str, devices: Any, **given: Any) -> Fabric:
        del accelerator, devices
        strategy = SingleDeviceStrategy(DEVICE, accelerator=OfTheDevice())
        return Fabric(strategy=strategy, devices=1, **given)

    monkeypatch.setattr(joining, "Fabric", fabric)
    monkeypatch.setattr(trainable, "choose_device", lambda _: DEVICE)


def test_a_training_gives_the_same_run(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_the_device(monkeypatch)
    with counted_transfers() as counted:
        found = denoisplit.train(experiment.spec, tmp_path / "run")
    assert counted.there > 0
    expected = denoisplit.load(experiment.run)
    for name, value in expected.vse.state_dict().items():
        torch.testing.assert_close(found.vse.state_dict()[name], value, rtol=1e-3, atol=1e-4)
    assert found.bundle.steps == expected.bundle.steps


def test_nothing_is_stored_of_steps_that_were_not_finite(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though nobody looks at a step before there is something to store."""
    on_the_device(monkeypatch)
    diverging = ["training.learning_rate=1e30", "training.validate_every=100", "training.checkpoint_every=3"]
    with pytest.raises(NonFiniteLossError, match="training step 1: distortion"):
        denoisplit.train(experiment.spec, tmp_path / "run", overrides=diverging)
    assert not RunFolder(tmp_path / "run").resume_point.exists()
