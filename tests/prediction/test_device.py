"""Where the network runs."""

import pytest
import torch

from denoisplit.core.errors import RunError
from denoisplit.core.prediction.device import choose_device


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
