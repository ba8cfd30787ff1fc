"""What is built for others works without the checkout."""

import email
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest
from packaging.requirements import Requirement

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
    kinds = {".yaml", ".typed", ".safetensors", ".json"}
    data = {file.relative_to(package) for file in package.rglob("*") if file.suffix in kinds}
    data |= {Path("registry.yaml"), Path("cli/demo.yaml"), Path("core/spec/presets/denoisplit.yaml")}
    data |= {Path("pretrained/lines-blobs/model.safetensors"), Path("pretrained/lines-blobs/model.json")}
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


def test_the_extra_all_has_every_other_one(unpacked: Path) -> None:
    (file,) = unpacked.glob("denoisplit-*.dist-info/METADATA")
    metadata = email.message_from_string(file.read_text(encoding="utf-8"))
    extras = set(metadata.get_all("Provides-Extra", []))
    needed = [Requirement(line) for line in metadata.get_all("Requires-Dist", [])]
    brought = {_bare(one) for one in needed if _asked_by(one, {"all"})}
    assert brought == {_bare(one) for one in needed if _asked_by(one, extras - {"all"})}
    assert {"nd2", "liffile", "distributed", "microssim"} <= {one.partition(">")[0] for one in brought}
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    assert extras - {"czi"} == set(re.findall(r"`\[(\w+)\]`", page))  # CZI needs nothing, as it says


def _asked_by(needed: Requirement, extras: Iterable[str]) -> bool:
    """Whether it is needed for one of these extras, and not without."""
    marker = needed.marker
    if marker is None or marker.evaluate({"extra": ""}):
        return False
    return any(marker.evaluate({"extra": extra}) for extra in extras)


def _bare(needed: Requirement) -> str:
    return f"{needed.name}{needed.specifier}"
