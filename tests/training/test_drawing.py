"""Draws of a step by their names."""

import pytest
import torch
from torch import Tensor

from denoisplit.core.network.dropout import ChannelDropout
from denoisplit.core.network.noise_source import GeneratorNoise, NoiseSource, StepNoise
from denoisplit.core.spec.records import TrainingSpec
from denoisplit.core.training.steps.drawing import STEP_DRAWS, step_seed
from denoisplit.core.training.steps.parts import Part
from denoisplit.core.training.steps.task import SplittingTask
from tests.network.small import counts, network

SIZE = (8, 8)
every_name = pytest.mark.parametrize("name", STEP_DRAWS)


def levels(noise: NoiseSource, batch: int) -> list[Tensor]:
    """Coarsest first, as decoders ask."""
    return [noise.normal(level, torch.empty(batch, 3, 8 >> level, 6)) for level in (1, 0)]


@every_name
def test_a_part_of_a_batch_has_the_noise_that_it_has_in_the_whole(name: str) -> None:
    draws, whole = STEP_DRAWS[name](3), Part.whole(7)
    expected = levels(draws.latent(5, whole), 7)
    for part in whole.divided(3):
        rows = slice(part.rows.start, part.rows.stop)
        for found, batch in zip(levels(draws.latent(5, part), len(part.rows)), expected, strict=True):
            assert torch.equal(found, batch[rows])


@every_name
def test_seeds_steps_rows_and_levels_are_independent(name: str) -> None:
    """Noise of validations, whose steps are negative, too."""
    drawn = torch.stack(
        [
            image.flatten()[:72]
            for seed in (0, 1)
            for step in (-2, -1, 0, 1)
            for level in levels(STEP_DRAWS[name](seed).latent(step, Part.whole(2)), 2)
            for image in level
        ]
    )
    off_diagonal = torch.corrcoef(drawn) - torch.eye(len(drawn))
    assert float(off_diagonal.abs().max()) < 5 / drawn.shape[1] ** 0.5


def test_noise_of_another_batch_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a batch of 3 for rows range\(0, 2\)"):
        StepNoise(0, 0, range(2)).normal(0, torch.empty(3, 1, 2, 2))


def test_the_draws_of_early_versions_are_those_of_one_generator() -> None:
    """Runs that were begun with them give the same weights, bit for bit."""
    vse = network().train()
    for module in vse.modules():
        if isinstance(module, ChannelDropout):
            module.p = 0.5
    batch = counts(vse, SIZE, batch=2)
    found = SplittingTask(vse, TrainingSpec(seed=4, noise="generator"))(batch, 6).total
    seed = step_seed(4, 6)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        noise = GeneratorNoise(torch.Generator().manual_seed(seed))
        assert torch.equal(vse.loss(*batch, noise, kl_weight=float(vse.kl_scheme.weight)).total, found)
