"""The page "Extending" makes a package that works."""

import os
import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

import denoisplit
from denoisplit.cli import main
from denoisplit.cli.scaffold import write_package
from denoisplit.core.registry import installed_registry
from denoisplit.testing.noise_models import NoiseModelTests

ROOT = Path(denoisplit.__file__).parents[1]
PAGE = ROOT / "docs" / "extending.md"
PACKAGE = "heavy-tails"
FILE = re.compile(rf"^`{PACKAGE}/([\w./]+)`:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new package with the files of the page, as if it were installed."""
    folder = tmp_path_factory.mktemp("extending") / PACKAGE
    write_package(folder, kind="noise_model", name="student_t")
    for name, text in FILE.findall(PAGE.read_text(encoding="utf-8")):
        assert (folder / name).is_file()
        (folder / name).write_text(text, encoding="utf-8")
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    info = folder / "heavy_tails-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    lines = [f"{name} = {value}" for name, value in project["entry-points"]["denoisplit"].items()]
    (info / "entry_points.txt").write_text("\n".join(["[denoisplit]", *lines, ""]))
    return folder


def run(site: Path, *command: str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join([str(site), str(ROOT)])
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=site,
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_all_files_of_the_package_are_on_the_page(site: Path) -> None:
    (listing,) = re.findall(rf"```text\n{PACKAGE}/\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert all((site / line.split()[0]).is_file() for line in listing.splitlines())


def test_its_tests_inherit_the_laws_and_its_own_passes(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(site))
    found = runpy.run_path(str(site / "tests" / "test_student_t.py"))
    for name in ("TestStudentT", "TestHeaviestTails"):
        assert issubclass(found[name], NoiseModelTests)
        assert found[name]().options() is not None
    found["test_it_is_the_distribution_of_student"]()


@pytest.mark.slow
def test_its_tests_by_inheritance_pass(site: Path) -> None:
    done = run(site, "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "tests")
    assert done.returncode == 0, done.stdout + done.stderr
    (passed,) = re.findall(r"^(\d+) passed", done.stdout, re.MULTILINE)
    assert int(passed) > 40


def test_the_component_passes_the_check_and_resolves_in_a_spec(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(site))
    installed_registry.cache_clear()
    done = CliRunner().invoke(main, ["plugins", "check", "student_t"])
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[0] == "noise_model heavy-tails/student_t 0.1.0"
    lines = ["preset: denoisplit", "channels: [a, b]", "data: {train: {use: simulated}}"]
    lines.append("model: {noise_model: {use: student_t, degrees: 5}}")
    (site / "spec.yaml").write_text("\n".join(lines), encoding="utf-8")
    checked = CliRunner().invoke(main, ["check", str(site / "spec.yaml")])
    assert checked.exit_code == 0, checked.output
    assert "use: heavy-tails/student_t" in checked.stdout
    installed_registry.cache_clear()
