"""What napari learns of the plugin before anything is opened."""

import subprocess
import sys
from pathlib import Path

import napari_denoisplit
import pytest
import yaml
from napari_denoisplit.claims import FILES, FOLDER
from napari_denoisplit.reader import get_reader, open_image, open_run

from denoisplit.core.storage.image_files import installed_formats

PACKAGE = Path(napari_denoisplit.__file__).parent
HEAVY = ("torch", "lightning_fabric", "denoisplit", "numpy", "napari", "magicgui")


def _python(code: str, *words: str) -> str:
    """What a fresh interpreter prints."""
    command = [sys.executable, "-c", code, *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_asking_whether_a_path_can_be_read_imports_nothing(trained: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from napari_denoisplit.reader import get_reader; "
        "assert all(get_reader(path) for path in sys.argv[2:]); "
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    assert _python(code, str(PACKAGE.parent), str(trained), "a.ome.tif", "b.czi").strip() == "[]"


def test_npe2_discovers_the_plugin_without_torch(trained: Path) -> None:
    pytest.importorskip("npe2", reason="napari is not installed: make napari")
    code = (
        "import sys; from npe2 import PluginManager; manager = PluginManager.instance(); manager.discover(); "
        "name = manager.get_manifest('napari-denoisplit').name; manager.activate(name); "
        "found = [(path, one) for path in sys.argv[1:] for one in manager.iter_compatible_readers(path)]; "
        "ours = [(path, one) for path, one in found if one.plugin_name == name]; assert len(ours) == 2; "
        "assert all(manager.commands.get(one.command)(path) for path, one in ours); "
        "print([name for name in ('torch', 'denoisplit') if name in sys.modules])"
    )
    assert _python(code, str(trained), "a.ome.tif").strip() == "[]"


def test_npe2_finds_everything_that_the_manifest_names() -> None:
    npe2 = pytest.importorskip("npe2", reason="napari is not installed: make napari")
    manifest = npe2.PluginManifest.from_distribution("napari-denoisplit")
    manifest.validate_imports()
    named = manifest.contributions
    assert len(named.readers) == len(named.sample_data) == 1
    assert [widget.display_name for widget in named.widgets] == ["Split", "Uncertainty"]


def test_files_of_the_manifest_are_those_that_are_claimed_and_that_denoisplit_reads() -> None:
    manifest = yaml.safe_load((PACKAGE / "napari.yaml").read_text(encoding="utf-8"))
    (reader,) = manifest["contributions"]["readers"]
    assert sorted(reader["filename_patterns"]) == sorted(f"*{ending}" for ending in FILES)
    assert reader["accepts_directories"]
    suffixes = {suffix for one in installed_formats() for suffix in one.suffixes}
    assert {*FILES, FOLDER} <= suffixes
    assert {one for one in suffixes if not one.endswith((*FILES, FOLDER))} <= {".npy", ".png"}


def test_runs_and_images_are_claimed_and_nothing_else(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "cells.ome.zarr").mkdir()
    (tmp_path / "sequence.json").touch()
    assert get_reader(str(trained)) is open_run
    assert get_reader(str(tmp_path)) is open_run
    assert get_reader(str(tmp_path / "cells.ome.zarr")) is open_image
    assert get_reader("Cells.TIF") is open_image
    for other in ("notes.txt", str(trained.parent), "cells.png"):
        assert get_reader(other) is None
    assert get_reader(["a.tif", "b.tif"]) is None  # a stack of files
