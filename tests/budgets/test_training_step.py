"""What a training step may ask of the machine."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import denoisplit
from denoisplit.core.images.bases import Field
from denoisplit.core.images.mixing import Mixing
from denoisplit.core.images.patches import PatchSampler
from denoisplit.core.network.vse import VSE
from denoisplit.core.spec.records import TrainingSpec
from denoisplit.core.training.steps.descent import optimizer_of
from denoisplit.core.training.steps.task import SplittingTask
from denoisplit.core.training.watchers.watching import Moment, Watcher
from tests.budgets.counting import Calls, kept_bytes, operators, within
from tests.flipping import FLIPS
from tests.network.small import NoiseModelMaker, counts, gaussian, mixture, network
from tests.training.test_fit import SPEC

SIZE = (8, 8)

OPERATORS = 800
"""Of forward, objective and backward, for two levels."""

OPERATORS_PER_LEVEL = 320

UPDATE = 30
"""Operators of the optimiser and of the gradient's bound, for any number of tensors."""

CALLS = 5000
"""Of Python functions from one step to the next, those of the loop included."""

KEPT_MAPS = 60
"""What is kept for the way back, in feature maps of the size of the image."""

COPIES = 4
"""Memory for drawing a batch, in batches."""


def step_of(vse: VSE, *, batch: int = 2) -> tuple[SplittingTask, tuple[Tensor, Tensor]]:
    vse.float().train()
    mixed, targets = counts(vse, SIZE, batch=batch)
    return SplittingTask(vse, TrainingSpec()), (mixed.float(), targets.float())


def operators_of(vse: VSE, *, batch: int = 2) -> list[str]:
    task, pair = step_of(vse, batch=batch)
    task.terms(pair, 0, 1.0)  # the first step makes what later ones find
    with operators() as names:
        torch.autograd.backward(task.terms(pair, 0, 1.0).total)
    return names


def test_operators_of_a_step() -> None:
    two, three = (len(operators_of(network(levels=levels, noise_model=mixture))) for levels in (2, 3))
    within(two, OPERATORS, "operators of a training step")
    within(three - two, OPERATORS_PER_LEVEL, "operators of one more level")


@pytest.mark.parametrize("noise_model", [gaussian, mixture])
def test_a_step_runs_the_same_operators_for_any_number_of_channels_and_images(
    noise_model: NoiseModelMaker,
) -> None:
    given = operators_of(network(noise_model=noise_model))
    assert operators_of(network(noise_model=noise_model, channels=4)) == given
    assert operators_of(network(noise_model=noise_model), batch=4) == given


def test_all_tensors_are_updated_at_once() -> None:
    task, pair = step_of(network(levels=3))
    optimizer = optimizer_of(task.vse, TrainingSpec())
    for _ in range(2):  # the first step sets up the state
        optimizer.zero_grad()
        torch.autograd.backward(task.terms(pair, 0, 1.0).total)
        with operators() as names:
            nn.utils.clip_grad_norm_(task.vse.parameters(), 0.5)
            optimizer.step()
    tensors = len(list(task.vse.parameters()))
    assert tensors > UPDATE
    within(len(names), UPDATE, f"operators that update {tensors} tensors")


class Between(Watcher):
    """Counts what happens from the end of one step to that of the next, without a validation."""

    def __init__(self, first: int) -> None:
        self.first, self.calls = first, Calls()

    def stepped(self, now: Moment, loss: Tensor) -> None:
        if now.step == self.first:
            self.calls.start()
        elif now.step == self.first + 1:
            self.calls.stop()


def test_calls_of_python_functions_of_a_step(tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC, encoding="utf-8")
    between = Between(2)
    plain = ["training.steps=4", "training.validate_every=4", "training.checkpoint_every=100"]
    denoisplit.train(spec, tmp_path / "run", overrides=plain, watchers=[between])
    assert between.calls.number > 100
    within(between.calls.number, CALLS, "calls of Python functions in a training step")


def test_memory_that_is_kept_for_the_way_back() -> None:
    vse = network(levels=2, noise_model=mixture)
    task, pair = step_of(vse, batch=1)
    kept = kept_bytes(lambda: task.terms(pair, 0, 1.0).total, [*vse.parameters(), *pair])
    width, pixels, itemsize = 4, SIZE[0] * SIZE[1], 4
    within(kept / (width * pixels * itemsize), KEPT_MAPS, "feature maps kept for the way back")


def test_a_batch_is_drawn_without_copies_of_the_fields() -> None:
    observed = np.random.default_rng(0).normal(300, 30, (2, 1024, 1024)).astype(np.float32)
    sampler = PatchSampler(
        [Field(name="one", observed=observed)],
        patch=(32, 32),
        batch=4,
        seed=0,
        augmentation=FLIPS,
        mixing=Mixing(),
    )
    sampler.batch(0)
    tracemalloc.start()
    batch = sampler.batch(1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    within(peak, COPIES * (batch.mixed.nbytes + batch.targets.nbytes) + 2**16, "bytes to draw a batch")
