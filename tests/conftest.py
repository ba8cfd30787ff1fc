"""Fixtures that every room of the tests shares."""

import importlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import HealthCheck, settings

import denoisplit
from denoisplit.core.registry import installed_registry

if TYPE_CHECKING:
    from tests.e2e.experiment import Experiment

settings.register_profile(
    "default", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("default")

# Tests time nothing: ``precision: auto`` is the same on every machine, and in the processes of a test.
os.environ["DENOISPLIT_PRECISION"] = "float32"

# On networks of a few numbers, threads only wait for each other.
torch.set_num_threads(1)


_MODULE, _REPORT = "denoisplit.core.runs.after_training", "report_after_training"


def _folder(variable: str) -> Path:
    value = os.environ.get(variable)
    if not value:
        pytest.skip(f"{variable} is not set")
    return Path(value)


@pytest.fixture(scope="session")
def golden() -> Path:
    """Folder of the reference numbers."""
    return _folder("DENOISPLIT_GOLDEN")


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Folder of the real microscopy images."""
    return _folder("DENOISPLIT_DATA")


@pytest.fixture
def own_components() -> Iterator[None]:
    """A process that registers components of its own, and forgets them."""
    installed_registry.cache_clear()
    yield
    installed_registry.cache_clear()


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _no_power_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flushing to the disk takes milliseconds per file, and nobody pulls the plug during tests."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture(scope="session", autouse=True)
def _no_reports() -> Iterator[Callable[..., None]]:
    """A report takes longer than the trainings of most tests, which do not look at it.

    For the session, because what a module shares is made before the fixtures of its functions.
    """
    written: Callable[..., None] = getattr(importlib.import_module(_MODULE), _REPORT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"{_MODULE}.{_REPORT}", lambda *_: None)
        yield written


@pytest.fixture
def reports(_no_reports: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of the report that ends a training: it is written."""
    monkeypatch.setattr(f"{_MODULE}.{_REPORT}", _no_reports)


@pytest.fixture(scope="session")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> "Experiment":
    """A small experiment with its trained run, shared by all tests: look, do not change."""
    # Most tests train nothing and are spared the import.
    from tests.e2e.experiment import Experiment

    made = Experiment(tmp_path_factory.mktemp("experiment"))
    made.write()
    made.train()
    return made


@pytest.fixture(scope="module")
def run(experiment: "Experiment") -> denoisplit.Run:
    """The run of the small experiment."""
    return denoisplit.load(experiment.run)
