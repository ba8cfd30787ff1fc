"""What is uploaded: the wheel and the source distribution have what they must, and nothing else."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path, PurePosixPath

import pytest

import denoisplit

pytestmark = pytest.mark.slow

ROOT = Path(denoisplit.__file__).parents[1]
LEFT_BEHIND = {"__pycache__", ".hypothesis", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".venv", ".git"}
LARGEST = 2_000_000
"""Bytes of a file; measured images are far larger."""


def run(*words: str, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both."""
    folder = tmp_path_factory.mktemp("built")
    run("build", "--sdist", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT), cwd=folder)
    return folder


@pytest.fixture(scope="module")
def source(built: Path) -> Path:
    """The source distribution, unpacked."""
    (archive,) = built.glob("denoisplit-*.tar.gz")
    run("tarfile", "--extract", str(archive), str(built / "source"), cwd=built)  # needs no newer Python
    (folder,) = (built / "source").iterdir()
    return folder


def wheel_of(folder: Path) -> dict[str, bytes]:
    (wheel,) = folder.glob("denoisplit-*.whl")
    with zipfile.ZipFile(wheel) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def test_the_index_takes_them(built: Path) -> None:
    files = [str(path) for path in built.glob("denoisplit-*") if path.is_file()]
    assert len(files) == 2
    assert run("twine", "check", "--strict", *files, cwd=built).count("PASSED") == 2


def test_the_wheel_has_the_package_and_its_licence_alone(built: Path) -> None:
    content = wheel_of(built)
    tops = {PurePosixPath(name).parts[0] for name in content}
    (information,) = tops - {"denoisplit"}
    assert content[f"{information}/licenses/LICENSE"] == (ROOT / "LICENSE").read_bytes()
    assert not [name for name in content if LEFT_BEHIND & set(PurePosixPath(name).parts)]
    assert not [name for name, found in content.items() if len(found) > LARGEST]


def test_the_source_has_all_that_is_tracked_but_how_it_is_checked_in(source: Path) -> None:
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("no repository")
    done = subprocess.run([git, "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    tracked = {name for name in done.stdout.splitlines() if not name.startswith(".ci/")}
    found = {path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()}
    assert tracked - found == set()
    assert found - tracked <= {"PKG-INFO"}
    assert not [path for path in source.rglob("*") if path.is_file() and path.stat().st_size > LARGEST]


def test_the_source_builds_the_same_wheel(built: Path, source: Path, tmp_path: Path) -> None:
    run("build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(source), cwd=tmp_path)
    assert wheel_of(tmp_path) == wheel_of(built)
