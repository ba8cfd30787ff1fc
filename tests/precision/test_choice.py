"""Which precision is chosen, by whom, and how long that is remembered."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from denoisplit.core import devices
from denoisplit.core.devices import PROCESSOR
from denoisplit.core.errors import RunError
from denoisplit.core.network.vse import VSE
from denoisplit.core.precision import choice, kept
from denoisplit.core.precision.choice import VARIABLE, Choice, choose, fastest
from denoisplit.core.precision.probe import Purpose
from denoisplit.core.registry import installed_registry
from denoisplit.core.spec import parse_spec, resolve
from denoisplit.core.spec.records import ResolvedSpec
from tests.network.small import network

SPEC = """
preset: altered-musplit
channels: [a, b]
data: {train: {use: simulated}}
training: {patch: 16, batch: 1, precision: PRECISION}
"""


def spec(precision: str = "auto") -> ResolvedSpec:
    return resolve(parse_spec(SPEC.replace("PRECISION", precision), name="spec"), installed_registry())


@pytest.fixture
def vse() -> VSE:
    return network().float()


class Probe:
    """Stands for measurements, and counts them."""

    def __init__(self) -> None:
        self.seconds = {"float32": 2.0, "bf16": 1.0}
        self.deviation = 0.02
        self.asked: list[Purpose] = []

    def __call__(self, vse: VSE, images: torch.Tensor, purpose: Purpose) -> dict[str, float]:
        self.asked.append(purpose)
        return self.seconds


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Probe:
    """On a processor that says of itself that it has units for bf16, and nothing was measured yet."""
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(choice, "processor", lambda: "flags : avx512_bf16")
    monkeypatch.setattr(devices, "processor", lambda: "flags : avx512_bf16")
    found = Probe()
    monkeypatch.setattr(choice, "probe", found)
    monkeypatch.setattr(choice, "deviation", lambda vse, images, purpose: found.deviation)
    return found


def test_what_the_spec_says_holds(vse: VSE, probe: Probe) -> None:
    assert choose(spec("bf16"), vse, PROCESSOR, Purpose.TRAINING).name == "bf16"
    assert choose(spec("float32"), vse, PROCESSOR, Purpose.TRAINING).name == "float32"
    assert probe.asked == []


@pytest.mark.parametrize("who", ["the spec", VARIABLE])
def test_what_a_device_has_not_is_said(
    vse: VSE, probe: Probe, monkeypatch: pytest.MonkeyPatch, who: str
) -> None:
    if who == VARIABLE:
        monkeypatch.setenv(VARIABLE, "tf32")
    asked = spec("auto" if who == VARIABLE else "tf32")
    here = choose(asked, vse, PROCESSOR, Purpose.TRAINING)
    assert here == Choice("float32", "cpu has no tf32")
    assert choose(asked, vse, torch.device("cuda"), Purpose.TRAINING) == Choice("tf32", f"as {who} says")


def test_without_units_nothing_is_measured(vse: VSE, probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "processor", lambda: "flags : avx2")
    for device in (PROCESSOR, torch.device("mps")):
        assert choose(spec(), vse, device, Purpose.TRAINING).name == "float32"
    assert probe.asked == []


def test_half_precision_without_units_is_taken_and_told(
    vse: VSE, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "processor", lambda: "flags : avx2")
    told = "as the spec says, but cpu has no units for it: float32 can be many times faster"
    assert choose(spec("bf16"), vse, PROCESSOR, Purpose.TRAINING) == Choice("bf16", told)


def test_a_gpu_with_units_uses_them(vse: VSE, probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "has_bf16_units", lambda device: device.type == "cuda")
    assert choose(spec(), vse, torch.device("cuda"), Purpose.TRAINING).name == "bf16"
    assert probe.asked == []


@pytest.mark.parametrize(
    ("ratio", "name"), [(0.5, "bf16"), (0.97, "bf16"), (0.99, "float32"), (1, "float32"), (1.4, "float32")]
)
def test_the_faster_one_is_chosen_and_who_saves_next_to_nothing_is_not(ratio: float, name: str) -> None:
    found = fastest({"float32": 2.0, "bf16": 2 * ratio})
    assert found.name == name
    assert str(found) == f"{name} (bf16 takes {ratio:.2f} of the time of float32, measured on this machine)"


@pytest.mark.parametrize("deviation", [0.8, 1e36, float("inf")])
def test_a_fast_precision_that_computes_wrong_numbers_is_not_taken(
    vse: VSE, probe: Probe, deviation: float
) -> None:
    probe.deviation = deviation
    for _ in range(2):
        found = choose(spec(), vse, torch.device("cpu"), Purpose.TRAINING)
        assert found.name == "float32"
        assert "in bf16, PyTorch computes wrong numbers of this network on this machine" in found.why
    assert len(probe.asked) == 1, "it is remembered"


def test_it_is_measured_once_per_purpose_network_threads_torch_and_processor(
    vse: VSE, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(network: VSE = vse, purpose: Purpose = Purpose.TRAINING) -> int:
        for _ in range(2):
            assert choose(spec(), network, PROCESSOR, purpose).name == "bf16"
        return len(probe.asked)

    assert asked() == 1
    assert asked(purpose=Purpose.PREDICTION) == 2
    assert asked(network(levels=3).float()) == 3
    monkeypatch.setattr(torch, "get_num_threads", lambda: 7)
    assert asked() == 4
    monkeypatch.setattr(torch, "__version__", "9.9")
    assert asked() == 5
    monkeypatch.setattr(choice, "processor", lambda: "flags : avx512_bf16 amx_bf16")
    assert asked() == 6
    assert len(list(kept.folder().glob("*.json"))) == 6
    for file in kept.folder().iterdir():
        file.unlink()
    assert asked() == 7


def _truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:40])


def _as_others(file: Path) -> None:
    file.write_text(file.read_text(encoding="utf-8").replace("avx512_bf16", "amx_bf16"), encoding="utf-8")


def _with(file: Path, seconds: object) -> None:
    file.write_text(
        json.dumps(json.loads(file.read_text(encoding="utf-8")) | {"seconds": seconds}), encoding="utf-8"
    )


@pytest.mark.parametrize(
    "damage",
    [
        _truncate,
        _as_others,
        lambda file: file.write_bytes(b"\xff\xfe"),
        lambda file: file.write_text("[" * 100_000),
        lambda file: file.write_text("[1]"),
        lambda file: _with(file, {"float32": 1.0}),
        lambda file: _with(file, {"float32": 1.0, "bf16": -1}),
        lambda file: _with(file, {"float32": float("nan"), "bf16": 1}),
        lambda file: _with(file, 3),
    ],
)
def test_damaged_files_cost_no_more_than_a_measurement(
    vse: VSE, probe: Probe, damage: Callable[[Path], object]
) -> None:
    choose(spec(), vse, PROCESSOR, Purpose.TRAINING)
    (file,) = kept.folder().glob("*.json")
    damage(file)
    probe.seconds = {"float32": 1.0, "bf16": 2.0}
    for _ in range(2):
        assert choose(spec(), vse, PROCESSOR, Purpose.TRAINING).name == "float32"
    assert len(probe.asked) == 2


@pytest.mark.parametrize("place", ["file", "nowhere"])
def test_a_cache_that_cannot_be_written_costs_no_more_than_that(
    vse: VSE, probe: Probe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    if place == "file":
        (tmp_path / "cache").write_text("a file where the folder should be", encoding="utf-8")
    else:

        def homeless() -> Path:
            raise RuntimeError("Could not determine home directory.")

        monkeypatch.setenv("XDG_CACHE_HOME", "relative")
        monkeypatch.setattr(Path, "home", homeless)
    for count in (1, 2):
        assert choose(spec(), vse, PROCESSOR, Purpose.TRAINING).name == "bf16"
        assert len(probe.asked) == count


def test_without_a_variable_the_cache_is_in_the_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert kept.folder() == tmp_path / ".cache" / "denoisplit" / "precision"


def test_the_environment_says_what_auto_means(
    vse: VSE, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    for said in ("bf16", "float32"):
        monkeypatch.setitem(os.environ, VARIABLE, said)
        assert choose(spec(), vse, PROCESSOR, Purpose.TRAINING).name == said
    assert choose(spec("bf16"), vse, PROCESSOR, Purpose.TRAINING) == Choice("bf16", "as the spec says")
    monkeypatch.setitem(os.environ, VARIABLE, "half")
    with pytest.raises(RunError, match=rf"{VARIABLE}: no such precision \(got 'half'\)\. Use"):
        choose(spec(), vse, PROCESSOR, Purpose.TRAINING)
    assert probe.asked == []


def test_a_network_that_fails_in_one_of_them_keeps_float32(
    vse: VSE, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> dict[str, float]:
        raise TypeError("no such operator for BFloat16")

    monkeypatch.setattr(choice, "probe", broken)
    found = choose(spec(), vse, PROCESSOR, Purpose.TRAINING)
    assert found.name == "float32"
    assert "measured: encoder denoisplit/ladder: fails in a pass of the training" in found.why
    assert list(kept.folder().glob("*.json")) == []
