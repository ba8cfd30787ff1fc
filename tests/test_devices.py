"""Where the network runs."""

import pytest
import torch

from denoisplit.core.devices import choose_device, has_float64, network_dtype, seeded
from denoisplit.core.errors import RunError


def _gpus(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)


@pytest.mark.parametrize(("count", "expected"), [(0, "cpu"), (2, "cuda")])
def test_auto_takes_a_gpu_if_there_is_one(monkeypatch: pytest.MonkeyPatch, count: int, expected: str) -> None:
    _gpus(monkeypatch, count)
    assert choose_device("auto") == torch.device(expected)


@pytest.mark.parametrize("name", ["cpu", "cuda", "cuda:1"])
def test_a_device_that_is_there_is_taken(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    _gpus(monkeypatch, 2)
    assert choose_device(name) == torch.device(name)


@pytest.mark.parametrize(("count", "name"), [(0, "cuda"), (1, "cuda:1"), (1, "gpu"), (1, "meta")])
def test_a_device_that_is_not_there_is_refused_with_those_that_are(
    monkeypatch: pytest.MonkeyPatch, count: int, name: str
) -> None:
    _gpus(monkeypatch, count)
    with pytest.raises(
        RunError, match=rf"device: not on this computer \(got '{name}'\)\. Use one of auto, cpu"
    ):
        choose_device(name)


def test_a_seed_is_used_for_a_while_and_leaves_no_trace() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    with seeded(7):
        drawn = torch.rand(3)
    assert torch.equal(torch.get_rng_state(), before)
    with seeded(7):
        assert torch.equal(torch.rand(3), drawn)


def test_the_gpu_of_a_mac_is_taken_only_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    _gpus(monkeypatch, 0)
    assert (choose_device().type, choose_device("mps").type) == ("cpu", "mps")


def test_precision_goes_by_the_device_that_was_chosen() -> None:
    """Not by one that is there: a Mac has no units for bf16 that torch knows of."""
    assert not has_float64(torch.device("mps"))
    assert has_float64(torch.device("cuda"))
    assert network_dtype("auto", torch.device("mps")) is None
    assert network_dtype("bf16", torch.device("mps")) == torch.bfloat16
