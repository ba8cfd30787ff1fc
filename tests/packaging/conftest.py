"""An environment with the built wheel of denoisplit."""

from pathlib import Path

import pytest

import denoisplit
from tests.packaging.environment import Environment, build_wheel

ROOT = Path(denoisplit.__file__).parents[1]


@pytest.fixture(scope="package")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Shared by all tests, so leave it as it was."""
    folder = tmp_path_factory.mktemp("packaging")
    made = Environment.create(folder / "environment")
    wheels = folder / "wheels"
    wheels.mkdir()
    wheel = build_wheel(ROOT, wheels)
    made.pip_install("--no-deps", "--ignore-installed", str(wheel), cwd=folder)
    where = made.run("python", "-c", "import denoisplit; print(denoisplit.__file__)", cwd=folder).stdout
    assert Path(where.strip()).is_relative_to(made.folder)
    return made
