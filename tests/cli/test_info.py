"""``denoisplit info`` says what is there, and why something is not."""

import importlib.metadata
import json
import platform
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import denoisplit
from denoisplit.core import surroundings
from denoisplit.core.registry import installed_registry
from tests.cli.refusals import run as command
from tests.distributions import MANIFEST, Install, installer


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    installed_registry.cache_clear()
    yield installer(tmp_path / "site", monkeypatch)
    installed_registry.cache_clear()


def told() -> str:
    done = command("info")
    assert done.exit_code == 0, done.output
    return done.stdout


def told_as_json() -> dict[str, Any]:
    done = command("info", "--json")
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def a_gpu(monkeypatch: pytest.MonkeyPatch, *, mps: bool = False) -> None:
    """A computer with a GPU, as far as torch tells."""
    here = SimpleNamespace(total_memory=24_000_000_000, major=8, minor=6)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: not mps)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: here)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "A GPU")
    monkeypatch.setattr(surroundings, "has_bf16_units", lambda device: device.type == "cuda")


def test_versions_threads_and_settings_are_those_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    found = told_as_json()
    assert found["denoisplit"] == denoisplit.__version__
    assert found["python"] == platform.python_version()
    assert found["torch"] == torch.__version__
    assert found["threads"] == torch.get_num_threads()
    assert found["settings"]["OMP_WAIT_POLICY"] == "PASSIVE"
    assert "CUDA_VISIBLE_DEVICES" not in found["settings"]
    libraries = {row["name"]: row for row in found["libraries"]}
    assert libraries["numpy"] == {
        "name": "numpy",
        "needed": ">=2.0",
        "version": np.__version__,
        "extras": [],
    }
    assert "testing" in libraries["hypothesis"]["extras"]
    assert "denoisplit" not in libraries
    assert {row["package"] for row in found["plugins"]} >= {"denoisplit"}


def test_text_and_json_tell_the_same() -> None:
    text, found = told(), told_as_json()
    assert f"{found['torch']}, built for" in text
    for library in found["libraries"]:
        assert f"{library['name']} {library['version'] or 'is not installed'}" in text
    assert found["temporary"] in text


def test_a_gpu_is_named_and_marked_as_the_one_that_auto_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    a_gpu(monkeypatch)
    text = told()
    assert "cuda:0 (A GPU, 24 GB, compute capability 8.6, units for bf16) <- auto" in text
    assert text.count("<- auto") == 1
    assert "No GPU is used" not in text


def test_the_gpu_of_a_mac_is_there_to_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    a_gpu(monkeypatch, mps=True)
    text = told()
    assert "device      mps (no units for bf16)\n" in text
    assert "the GPU of this Mac is used with --device mps." in text


@pytest.mark.parametrize(
    ("cuda", "advice"),
    [
        (None, "No GPU is used: this PyTorch is for processors alone. docs/install.md says"),
        ("13.0", "No GPU is used: this PyTorch is for CUDA 13.0 and finds no GPU. See whether nvidia-smi"),
    ],
)
def test_the_reason_why_no_gpu_is_used(
    monkeypatch: pytest.MonkeyPatch, cuda: str | None, advice: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_built", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", cuda)
    assert advice in told()


def test_what_torch_complains_about_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def complaining() -> bool:
        warnings.warn("The NVIDIA driver on your system is too old", stacklevel=1)
        return False

    monkeypatch.setattr(torch.cuda, "is_available", complaining)
    assert told().count("PyTorch: The NVIDIA driver on your system is too old\n") == 1


def test_a_library_that_does_not_serve_is_told_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.metadata.version
    versions = {"torch": "2.1.0", "scipy": "1.20.0rc1"}
    monkeypatch.setattr(importlib.metadata, "version", lambda name: versions.get(name) or real(name))
    text = told()
    assert "torch: does not serve (got 2.1.0). Run: python -m pip install 'torch>=" in text
    assert "torch 2.1.0 (needs >=" in text
    assert "scipy: does not serve" not in text


def test_a_checkout_that_is_not_installed_tells_all_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> list[str]:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", absent)
    text = told()
    assert "libraries   unknown: not installed as a package\n" in text
    assert "device      cpu" in text


def test_plugins_are_counted_and_broken_ones_named(install: Install) -> None:
    install("good-lab", manifest=MANIFEST)
    install("bad-lab", manifest="- nonsense")
    text = told()
    assert "of good-lab 1" in text
    assert "broken      bad-lab 1" in text
