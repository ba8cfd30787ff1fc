"""Where the network runs."""

from pathlib import Path

import pytest
import torch

from denoisplit.core import devices
from denoisplit.core.devices import (
    PROCESSOR,
    choose_device,
    described,
    has_bf16_units,
    has_float64,
    processor,
    seeded,
)
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


def test_a_gpu_is_described_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"GPU {device.index}")
    assert described(torch.device("cuda:1")) == "cuda:1 (GPU 1)"
    assert described(PROCESSOR) == "cpu"


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


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("flags : fpu avx2 avx512f", False),
        ("flags : fpu avx512f avx512_bf16", True),
        ("flags : fpu amx_bf16 amx_tile", True),
        ("Features : fp asimd bf16", True),
        ("", False),
    ],
)
def test_units_for_bf16_are_those_of_the_device_that_was_chosen(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, flags: str, expected: bool
) -> None:
    """Not of one that is there: a Mac has no units for bf16 that torch knows of."""
    assert not has_float64(torch.device("mps"))
    assert has_float64(torch.device("cuda"))
    known = tmp_path / "cpuinfo"
    known.write_text(f"processor : 0\n{flags}\n", encoding="ascii")
    monkeypatch.setattr(devices, "_CPUINFO", known if flags else tmp_path / "none")
    assert has_bf16_units(PROCESSOR) == expected
    assert not has_bf16_units(torch.device("mps"))


def test_a_processor_is_known_by_what_it_can_and_not_by_what_it_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told = "processor\t: {}\nmodel name\t: Any Processor\ncpu MHz\t\t: {}\nflags\t\t: fpu {}\n\n"
    known = tmp_path / "cpuinfo"
    monkeypatch.setattr(devices, "_CPUINFO", known)
    found = []
    for mhz, flag in (("2599.9", "avx2"), ("1200.1", "avx2"), ("2599.9", "amx_bf16")):
        known.write_text(told.format(0, mhz, flag) + told.format(1, "3000.0", flag), encoding="ascii")
        found.append(processor())
    assert found[0] == found[1] == "model name : Any Processor\nflags : fpu avx2"
    assert found[2] != found[0]
