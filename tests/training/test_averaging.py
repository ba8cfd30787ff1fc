"""Averages of weights over steps: what they are, and that a run gets them."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch

import denoisplit
from denoisplit.core.arrays import Float64Array
from denoisplit.core.spec.records import TrainingSpec
from denoisplit.core.storage.run_folder import RunFolder
from denoisplit.core.training.steps.averaging import AveragedWeights
from denoisplit.core.training.steps.task import SplittingTask
from denoisplit.core.training.watchers.watching import Moment
from tests.network.small import network
from tests.training.test_fit import SPEC, Interrupt
from tests.training.test_resuming import assert_same

LAST = ["training.keep=last"]


def trained(folder: Path, name: str, changes: Sequence[str], *, resume: bool = False) -> RunFolder:
    (folder / "spec.yaml").write_text(SPEC, encoding="utf-8")
    denoisplit.train(folder / "spec.yaml", folder / name, overrides=changes, resume=resume)
    return RunFolder(folder / name)


def table(run: RunFolder) -> list[dict[str, str]]:
    with run.metrics.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def numbers(task: SplittingTask) -> Float64Array:
    """All weights and statistics of batch norms."""
    state = task.vse.state_dict().values()
    return np.concatenate(
        [value.double().numpy().reshape(-1) for value in state if value.is_floating_point()]
    )


@pytest.mark.parametrize("decay", [0.25, 0.9])
def test_the_average_forgets_by_its_decay_and_the_first_weights_sooner(decay: float) -> None:
    task = SplittingTask(network(), TrainingSpec())
    averaged = AveragedWeights(task, decay)
    now = Moment(step=0, steps=30, vse=task.vse, learning_rate=0.1)
    generator = torch.Generator().manual_seed(0)
    expected = np.zeros(0)
    for step in range(1, 31):
        for value in task.vse.state_dict().values():
            if value.is_floating_point():
                value.add_(torch.randn(value.shape, generator=generator, dtype=value.dtype))
        averaged.stepped(now, torch.zeros(()))
        share = 1.0 if step == 1 else 1 - min(decay, step / (9 + step))
        expected = numbers(task) if step == 1 else (1 - share) * expected + share * numbers(task)
        np.testing.assert_allclose(numbers(averaged.task), expected, rtol=0, atol=1e-5)
    assert np.abs(numbers(averaged.task) - numbers(task)).max() > 0.1


def test_a_run_gets_the_last_average_and_its_validation(tmp_path: Path) -> None:
    """An average of which nothing remains is the network itself, and one that remains is another."""
    plain = trained(tmp_path, "plain", LAST)
    nothing = trained(tmp_path, "nothing", ["training.average=1e-12"])
    averaged = trained(tmp_path, "averaged", ["training.average=0.9"])
    assert nothing.weights.read_bytes() == plain.weights.read_bytes()
    assert nothing.metrics.read_bytes() == plain.metrics.read_bytes()
    assert averaged.weights.read_bytes() != plain.weights.read_bytes()
    runs = [table(run) for run in (plain, averaged)]
    trainings, validations = ([[row[x] for row in run] for run in runs] for x in ("train_loss", "val_loss"))
    assert trainings[0] == trainings[1]
    assert validations[0] != validations[1]
    assert denoisplit.load(averaged.path).bundle.best_step == 6


def test_an_interrupted_average_goes_on(tmp_path: Path) -> None:
    changes = ["training.average=0.9"]
    whole = trained(tmp_path, "whole", changes)
    with pytest.raises(KeyboardInterrupt):
        denoisplit.train(tmp_path / "spec.yaml", tmp_path / "cut", overrides=changes, watchers=[Interrupt(4)])
    assert_same(trained(tmp_path, "cut", changes, resume=True), whole)


@pytest.mark.parametrize(
    ("average", "keep", "last"), [(0.9, "auto", True), (0.9, "best", False), (0.0, "auto", False)]
)
def test_the_last_average_is_kept_unless_the_best_is_asked_for(
    average: float, keep: Literal["auto", "best"], last: bool
) -> None:
    assert TrainingSpec(average=average, keep=keep).keeps_last == last
