"""What a posterior sample may ask of the machine."""

import pytest
import torch

from denoisplit.core.network.noise_source import GeneratorNoise
from denoisplit.core.network.vse import VSE
from tests.budgets.counting import Calls, counted, operators, within
from tests.network.small import counts, mixture, network

SIZE = (8, 8)

OPERATORS = 200
"""For two levels."""

OPERATORS_PER_LEVEL = 110

CALLS = 700


def sampled(vse: VSE, *, batch: int = 1) -> tuple[list[str], int]:
    """Operators and Python calls of one sample."""
    vse.float()
    mixed, _ = counts(vse, SIZE, batch=batch)
    with torch.inference_mode():
        features = vse.encode(mixed.float())
        noise, calls = GeneratorNoise(torch.Generator().manual_seed(0)), Calls()
        vse.sample(features, noise)
        with counted(calls):
            vse.sample(features, noise)
        with operators() as names:
            vse.sample(features, noise)
    return names, calls.number


def test_operators_and_calls_of_a_sample() -> None:
    (two, calls), (three, _) = (sampled(network(levels=levels)) for levels in (2, 3))
    within(len(two), OPERATORS, "operators of a posterior sample")
    within(len(three) - len(two), OPERATORS_PER_LEVEL, "operators of one more level")
    within(calls, CALLS, "calls of Python functions of a posterior sample")


@pytest.mark.parametrize(("channels", "batch"), [(4, 1), (2, 3)])
def test_a_sample_runs_the_same_operators_for_any_number_of_channels_and_images(
    channels: int, batch: int
) -> None:
    given, _ = sampled(network(noise_model=mixture))
    found, _ = sampled(network(noise_model=mixture, channels=channels), batch=batch)
    assert found == given


def test_a_sample_evaluates_no_prior() -> None:
    """Per level: posterior, expand, merge and skip (4 each, once more per inner level), upsampling (4)."""
    for levels in (2, 3):
        names, _ = sampled(network(levels=levels))
        convolutions = sum("conv" in name for name in names)
        top, inner, final, output = 2 + 4, 2 + 4 + 4 + 4, 3, 1
        assert convolutions == top + (levels - 1) * inner + final + output
