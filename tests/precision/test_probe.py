"""What is measured of a network, with a clock that the test moves."""

import random
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch

from denoisplit.core.network.interfaces import Decoder, Encoder
from denoisplit.core.network.vse import VSE
from denoisplit.core.precision.probe import Purpose, deviation, images_of, probe
from denoisplit.core.spec.records import TrainingSpec
from denoisplit.plugins.encoders.ladder import LadderEncoder
from tests.network.small import ladder, network

SIZE = (1, 1, 16, 16)


class Clock:
    """Every pass takes as long as the network's dtype says, and one pass may take longer."""

    def __init__(self, seconds: list[float]) -> None:
        self._now, self._left = 0.0, iter(seconds)
        self._began = False
        self.passes = 0

    def __call__(self) -> float:
        if self._began:
            self._now += next(self._left)
            self.passes += 1
        self._began = not self._began
        return self._now


@pytest.fixture
def vse() -> VSE:
    return network().float()


@pytest.mark.parametrize("purpose", Purpose)
@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ([99, 1, 1.2, 1.1, 1.0, 1.3], {"float32": 1.0, "bf16": 1.1}),  # the faster of two counts
        ([1, 99, 1.0, 0.7], {"float32": 1.0, "bf16": 0.7}),  # one is enough, and the first does not count
        ([1, 1, 1.0, 1.4], {"float32": 1.0, "bf16": 1.4}),
    ],
)
def test_the_first_round_does_not_count_and_a_clear_one_is_enough(
    vse: VSE, purpose: Purpose, seconds: list[float], expected: dict[str, float]
) -> None:
    clock = Clock(seconds)
    found = probe(vse, torch.full(SIZE, 300.0), purpose, clock)
    assert found == pytest.approx(expected)
    assert clock.passes == len(seconds)


def _dropping(rank: int, maps: int) -> tuple[Encoder, Decoder]:
    """Parts that draw when they are trained."""
    _, decoder = ladder(rank, maps)
    options = LadderEncoder.Options(levels=2, width=4, dropout=0.5)
    return LadderEncoder(options, spatial_rank=rank, in_channels=1), decoder


@pytest.mark.parametrize("purpose", Purpose)
def test_it_changes_nothing(purpose: Purpose) -> None:
    vse = network(parts=_dropping).float().train()
    before, state, drawn = deepcopy(vse.state_dict()), torch.get_rng_state(), random.getstate()
    probe(vse, torch.full(SIZE, 300.0), purpose, Clock([1] * 6))
    assert all(torch.equal(tensor, before[name]) for name, tensor in vse.state_dict().items())
    assert all(weight.grad is None for weight in vse.parameters())
    assert vse.network_dtype is None
    assert vse.training
    assert torch.equal(torch.get_rng_state(), state)
    assert random.getstate() == drawn


@pytest.mark.parametrize("purpose", Purpose)
def test_both_precisions_are_run_and_only_training_goes_back(
    vse: VSE, monkeypatch: pytest.MonkeyPatch, purpose: Purpose
) -> None:
    seen: list[tuple[bool, bool, bool]] = []
    passed: Callable[..., object] = type(vse.encoder).forward

    def watched(self: torch.nn.Module, mixed: torch.Tensor) -> object:
        seen.append((torch.is_autocast_enabled("cpu"), torch.is_grad_enabled(), self.training))
        return passed(self, mixed)

    monkeypatch.setattr(type(vse.encoder), "forward", watched)
    probe(vse, torch.full(SIZE, 300.0), purpose, Clock([1] * 6))
    trains = purpose is Purpose.TRAINING
    assert seen == [(False, trains, trains), (True, trains, trains)] * 3


@pytest.mark.parametrize(
    ("patch", "batch", "rank", "expected"),
    [
        (64, 32, 2, (4, 1, 64, 64)),
        (128, 8, 2, (1, 1, 128, 128)),
        (64, 3, 2, (3, 1, 64, 64)),
        (512, 8, 2, (1, 1, 128, 128)),
        ((8, 128, 64), 8, 3, (1, 1, 8, 32, 64)),
    ],
)
def test_the_images_are_patches_of_the_training(
    patch: int | tuple[int, ...], batch: int, rank: int, expected: tuple[int, ...]
) -> None:
    vse = network(rank=rank)
    images = images_of(vse, TrainingSpec(patch=patch, batch=batch))
    assert images.shape == expected
    assert float(images.mean()) == pytest.approx(vse.statistics.mixed_mean, abs=2)
    assert float(images.std()) == pytest.approx(vse.statistics.mixed_std, rel=0.02)


@pytest.mark.parametrize("purpose", Purpose)
def test_numbers_that_are_only_rounded_deviate_little(vse: VSE, purpose: Purpose) -> None:
    images = vse.statistics.mixed_mean + torch.randn(SIZE, generator=torch.Generator().manual_seed(1))
    before = {name: tensor.clone() for name, tensor in vse.state_dict().items()}
    assert 0 < deviation(vse, images, purpose) < 0.5
    assert all(torch.equal(before[name], tensor) for name, tensor in vse.state_dict().items())


@pytest.mark.parametrize("wrong", [2.0, float("nan"), float("inf")])
def test_a_gradient_that_is_wrong_in_one_precision_shows(
    vse: VSE, wrong: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As that of convolutions over two planes in bf16 is, on some processors."""
    images = vse.statistics.mixed_mean + torch.randn(SIZE, generator=torch.Generator().manual_seed(1))
    original = VSE.decode

    def spoilt(self: VSE, *given: Any, **named: Any) -> Any:
        kernel: Any = next(one for one in self.decoder.parameters() if one.ndim > 2)
        if self.precision == "bf16":
            kernel.register_hook(lambda gradient: gradient * wrong)
        return original(self, *given, **named)

    monkeypatch.setattr(VSE, "decode", spoilt)
    assert deviation(vse, images, Purpose.TRAINING) > 0.9
