"""What may pass between a processor and an accelerator, and how often one waits for the other."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from denoisplit.core.errors import NonFiniteLossError
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.outputs.evidence import gather_evidence
from denoisplit.core.prediction.outputs.posterior import predict
from denoisplit.core.prediction.samples.summaries import NoiseVariance, Quantiles, Samples, Summary
from denoisplit.core.prediction.tiles.memory import MAX_SAMPLE_BATCH
from denoisplit.core.spec.records import PredictionSpec, TrainingSpec
from denoisplit.core.training.steps.descent import optimizer_of
from denoisplit.core.training.steps.task import SplittingTask, values_of
from denoisplit.testing.simulated_device import Transfers, counted_transfers, simulated_device
from tests.network.small import NoiseModelMaker, counts, gaussian, mixture, network

DEVICE = simulated_device()
SIDE = 16
BATCH = 2
"""Tensors of a batch: mixed image and targets."""

both_noise_models = pytest.mark.parametrize("noise_model", [gaussian, mixture])
levels_of_networks = pytest.mark.parametrize("levels", [2, 3])


def there(levels: int, noise_model: NoiseModelMaker = gaussian) -> VSE:
    """A network on the device, which has already predicted something."""
    vse = network(levels=levels, noise_model=noise_model).float().to(DEVICE)
    vse.halo = (SIDE, SIDE)
    predict(vse, image(SIDE), PredictionSpec(samples=1), summaries=[NoiseVariance()])
    return vse


def batch_of(vse: VSE, *, to: torch.device = DEVICE) -> tuple[Tensor, Tensor]:
    mixed, targets = counts(vse, (SIDE, SIDE), batch=2)
    return mixed.float().to(to), targets.float().to(to)


def image(side: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
    return np.random.default_rng(0).normal(330, 70, (side, SIDE)).astype(np.float32)


@both_noise_models
@levels_of_networks
def test_a_step_takes_its_batch_and_waits_for_nothing(levels: int, noise_model: NoiseModelMaker) -> None:
    """Latent noise and dropout are drawn on the device."""
    vse = there(levels, noise_model).train()
    task, optimizer = SplittingTask(vse, TrainingSpec()), optimizer_of(vse, TrainingSpec())
    steps = 3
    with counted_transfers() as found:
        for step in range(steps):
            terms = task(batch_of(vse), step)
            task.took(terms, step)
            optimizer.zero_grad()
            torch.autograd.backward(terms.total)
            torch.nn.utils.clip_grad_norm_(vse.parameters(), 0.5)
            optimizer.step()
    assert found == Transfers(there=steps * BATCH)
    with counted_transfers() as found:
        task.unread.look()
    assert found == Transfers(back=1), "looking at several steps waits more than once"
    with counted_transfers() as found:
        values_of(terms)
    assert found == Transfers(back=1), "the log waits more than once"


@levels_of_networks
def test_a_validation_comes_back_once_for_every_question(levels: int) -> None:
    """Whether all is finite, and the mean."""
    vse, batches = there(levels), 3
    task, crop = SplittingTask(vse, TrainingSpec()), batch_of(vse, to=torch.device("cpu"))
    with counted_transfers() as found:
        task.validated([crop] * batches, 0)
    assert found == Transfers(there=batches * BATCH, back=1, waits=1)


def test_a_step_that_was_not_finite_is_found_when_it_is_looked_at() -> None:
    vse = there(2).train()
    task, (mixed, targets) = SplittingTask(vse, TrainingSpec()), batch_of(vse)
    for step, factor in ((4, 1.0), (5, math.nan), (6, 1.0)):
        task.took(task((mixed, targets * factor), step), step)
    with pytest.raises(NonFiniteLossError, match="step 5: distortion"):
        task.unread.look()
    task.unread.look()  # once is enough


@pytest.mark.parametrize("samples", [2, MAX_SAMPLE_BATCH + 2])
@pytest.mark.parametrize(
    ("summaries", "copies"), [([], 2), ([NoiseVariance()], 3), ([Samples()], 3), ([Quantiles((0.4, 0.6))], 3)]
)
@levels_of_networks
def test_a_tile_goes_there_once_and_every_image_comes_back_once(
    levels: int, summaries: list[Summary], copies: int, samples: int
) -> None:
    """Noise is made there; samples that are kept, or sorted, come back together."""
    vse, tiles = there(levels), 3
    how = PredictionSpec(samples=samples, tile=SIDE)
    with counted_transfers() as found:
        predict(vse, image(tiles * SIDE), how, batch=MAX_SAMPLE_BATCH, summaries=summaries)
    assert found == Transfers(there=tiles, back=tiles * copies)


@levels_of_networks
def test_what_a_verdict_rests_on_comes_back_once(levels: int) -> None:
    """A draw, its variance, and the rate of every level."""
    vse, tiles = there(levels), 3
    with counted_transfers() as found:
        gather_evidence(vse, image(tiles * SIDE), PredictionSpec(tile=SIDE))
    assert found == Transfers(there=tiles, back=tiles * (2 + levels))
