"""How a GPU rounds float32, told by what PyTorch was told: no GPU is needed for that."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import torch

from denoisplit.core.devices import PRECISIONS, deterministic, rounding
from denoisplit.core.errors import SpecError
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.samples import passes
from denoisplit.core.prediction.samples.passes import evaluating
from denoisplit.core.spec.records import TrainingSpec
from denoisplit.core.training.steps.computing import computing
from tests.network.small import network

BACKENDS: Any = torch.backends
GPU = torch.device("cuda")


def said() -> tuple[str, str]:
    """Of convolutions, and of matrix products."""
    return BACKENDS.cudnn.conv.fp32_precision, BACKENDS.cuda.matmul.fp32_precision


@pytest.fixture
def usual() -> Iterator[tuple[str, str]]:
    before = said()
    assert before[0] == "tf32"  # PyTorch's own choice
    yield before
    assert said() == before


@pytest.mark.parametrize(("tf32", "expected"), [(False, ("ieee", "ieee")), (True, ("tf32", "ieee"))])
def test_it_is_told_for_a_while(usual: tuple[str, str], tf32: bool, expected: tuple[str, str]) -> None:
    with suppress(KeyboardInterrupt), rounding(GPU, tf32=tf32):
        assert said() == expected
        raise KeyboardInterrupt
    with rounding(torch.device("cpu"), tf32=tf32):
        assert said() == usual


def test_it_may_be_told_within(usual: tuple[str, str]) -> None:
    with rounding(GPU, tf32=True):
        with rounding(GPU, tf32=False):
            assert said() == ("ieee", "ieee")
        assert said() == ("tf32", "ieee")


def test_a_user_keeps_what_he_chose() -> None:
    chosen = BACKENDS.cuda.matmul.fp32_precision
    BACKENDS.cuda.matmul.fp32_precision = "tf32"
    try:
        with rounding(GPU, tf32=False):
            assert said() == ("ieee", "ieee")
        assert said() == ("tf32", "tf32")
    finally:
        BACKENDS.cuda.matmul.fp32_precision = chosen


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_network_is_evaluated_in_the_rounding_of_its_precision(
    monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    asked: list[bool] = []

    @contextmanager
    def told(device: torch.device, *, tf32: bool) -> Iterator[None]:
        asked.append(tf32)
        yield

    monkeypatch.setattr(passes, "rounding", told)
    vse: VSE = network().float()
    vse.precision = precision
    with evaluating(vse):
        pass
    assert vse.precision == precision
    assert vse.network_dtype == PRECISIONS[precision]
    assert asked == [precision == "tf32"]


@pytest.mark.parametrize(
    ("precision", "convolutions"), [("float32", "ieee"), ("tf32", "tf32"), ("bf16", "ieee")]
)
def test_steps_are_done_in_the_rounding_of_the_precision(
    usual: tuple[str, str], precision: str, convolutions: str
) -> None:
    vse = network().float()
    vse.precision = precision
    with computing(vse, TrainingSpec(), GPU):
        assert said() == (convolutions, "ieee")


def _not_deterministic() -> None:
    torch.zeros(3).put_(torch.tensor([0]), torch.ones(1))


def test_what_is_not_deterministic_is_an_error_for_a_while() -> None:
    with deterministic(torch.device("cpu")):
        assert torch.are_deterministic_algorithms_enabled()
    assert not torch.are_deterministic_algorithms_enabled()
    what = r"training\.deterministic: an operation of this network cannot \(got: put_ does not have"
    with pytest.raises(SpecError, match=what), deterministic(torch.device("cpu")):
        _not_deterministic()
    assert not torch.are_deterministic_algorithms_enabled()
    _not_deterministic()
    with pytest.raises(RuntimeError, match="another"), deterministic(torch.device("cpu")):
        raise RuntimeError("another")


def test_a_gpu_has_to_be_told_before_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    advice = "Set CUBLAS_WORKSPACE_CONFIG=:4096:8 in the environment before the start"
    with pytest.raises(SpecError, match=advice), deterministic(GPU):
        raise AssertionError
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    with deterministic(GPU):
        assert torch.are_deterministic_algorithms_enabled()
