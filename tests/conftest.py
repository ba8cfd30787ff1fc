"""Fixtures that every room of the tests shares."""

import os
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings

settings.register_profile(
    "default", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("default")


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


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)
