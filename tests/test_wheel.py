"""What is built for others works without the checkout."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import denoisplit

ROOT = Path(denoisplit.__file__).parents[1]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the files of a freshly built wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = folder.glob("denoisplit-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_every_file_that_is_no_code_comes_along(unpacked: Path) -> None:
    package = ROOT / "denoisplit"
    kinds = {".yaml", ".typed"}
    data = {file.relative_to(package) for file in package.rglob("*") if file.suffix in kinds}
    data |= {Path("registry.yaml"), Path("cli/demo.yaml"), Path("core/spec/presets/denoisplit.yaml")}
    missing = {str(file) for file in data if not (unpacked / "denoisplit" / file).is_file()}
    assert missing == set()


def test_the_unpacked_wheel_lists_the_built_ins(unpacked: Path, tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); import denoisplit; "
        "sys.stderr.write(denoisplit.__file__); from denoisplit.cli import main; main()"
    )
    command = [sys.executable, "-I", "-c", code, str(unpacked), "plugins", "list", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert Path(done.stderr).is_relative_to(unpacked)
    listed = {(row["kind"], row["name"]) for row in json.loads(done.stdout)["components"]}
    registry = denoisplit.installed_registry()
    built_in = {(row.kind, row.name) for row in registry.components() if row.package == "denoisplit"}
    assert built_in <= listed
    assert ("encoder", "ladder") in listed
