"""The plugin for napari as its users install it."""

import zipfile
from pathlib import Path

import pytest
import yaml

import denoisplit
from tests.packaging.environment import build_wheel

PROJECT = Path(denoisplit.__file__).parents[1] / "packages" / "napari-denoisplit"

pytestmark = pytest.mark.slow


def test_the_wheel_holds_the_manifest_and_says_where_it_is(tmp_path: Path) -> None:
    with zipfile.ZipFile(build_wheel(PROJECT, tmp_path)) as wheel:
        names = wheel.namelist()
        manifest = yaml.safe_load(wheel.read("napari_denoisplit/napari.yaml"))
        (entry,) = [name for name in names if name.endswith(".dist-info/entry_points.txt")]
        said = wheel.read(entry).decode()
    assert "[napari.manifest]" in said
    assert "napari-denoisplit = napari_denoisplit:napari.yaml" in said
    assert "napari_denoisplit/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if "test" in name]
    for command in manifest["contributions"]["commands"]:
        module = command["python_name"].partition(":")[0].replace(".", "/")
        assert f"{module}.py" in names
