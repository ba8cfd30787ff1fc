"""``denoisplit plugins new``: what it writes works as it is."""

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from denoisplit.cli import main
from denoisplit.core.registry import KINDS, load_registry
from denoisplit.core.registry.registry import installed_registry

LONGEST_PACKAGE, LONGEST_NAME = "a-package" + "-with-words" * 2 + "-letters", "name" + "_with_letters" * 2
each_kind = pytest.mark.parametrize("kind", KINDS)


def new(path: Path, kind: str, name: str) -> Result:
    return CliRunner().invoke(main, ["plugins", "new", str(path), "--kind", kind, "--name", name])


def made(path: Path, kind: str, name: str) -> Path:
    result = new(path, kind, name)
    assert result.exit_code == 0, result.output
    return path


def install(package: Path, site: Path) -> None:
    """Metadata of the package, as pip writes it from the project file, and its code."""
    project = tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    module = project["name"].replace("-", "_")
    info = site / f"{module}-{project['version']}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    entries = [f"{name} = {value}" for name, value in project["entry-points"]["denoisplit"].items()]
    (info / "entry_points.txt").write_text("\n".join(["[denoisplit]", *entries, ""]))
    (site / module).symlink_to(package / module, target_is_directory=True)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of packages that are found as if they were installed."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    installed_registry.cache_clear()


@pytest.mark.parametrize(
    ("package", "name"), [("p", "x"), (LONGEST_PACKAGE, LONGEST_NAME)], ids=["short", "long"]
)
def test_the_linter_finds_nothing_whatever_the_names(tmp_path: Path, package: str, name: str) -> None:
    folders = [made(tmp_path / kind / package, kind, name) for kind in KINDS]
    for command in (["check"], ["format", "--check", "--diff"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", *map(str, folders)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@each_kind
def test_the_component_is_found_and_keeps_to_its_contract(tmp_path: Path, site: Path, kind: str) -> None:
    install(made(tmp_path / f"my-{kind}", kind, "mine"), site)
    registry = load_registry()
    assert registry.broken == ()
    row = registry.find(kind, "mine")
    assert row.load().__module__ == f"my_{kind}.{kind}"
    assert row.summary.endswith(".")
    assert row.source


@pytest.mark.slow
def test_the_tests_of_every_kind_pass_untouched(tmp_path: Path, site: Path) -> None:
    folders = [made(tmp_path / f"fresh-{kind}", kind, f"fresh_{kind}") for kind in KINDS]
    for folder in folders:
        install(folder, site)
    tests = [str(folder / "tests") for folder in folders]
    code = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); import pytest; sys.exit(pytest.main(sys.argv[1:]))"
    )
    options = ["-q", "-W", "error", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-c", code, str(site), *options, *tests],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert "failed" not in done.stdout


def test_a_data_set_with_a_layout_of_its_own_is_not_said_to_fail(tmp_path: Path, site: Path) -> None:
    install(made(tmp_path / "own-layout", "dataset", "own_layout"), site)
    installed_registry.cache_clear()
    checked = CliRunner().invoke(main, ["plugins", "check", "own_layout", "--kind", "dataset"])
    assert checked.exit_code == 0, checked.output
    (line,) = [line for line in checked.output.splitlines() if "fields have the named channels" in line]
    assert line.startswith("  not examined ")
    assert line.endswith("name a suite whose `write_folder` writes the layout that it reads")


def test_the_command_says_what_to_do_next(tmp_path: Path) -> None:
    lines = new(tmp_path / "deep" / "My_Lab", "noise_model", "student_t").stdout.splitlines()
    assert lines[0].endswith("package my-lab with the noise_model student_t")
    assert any("pip install" in line for line in lines)
    files = {file.relative_to(tmp_path / "deep" / "My_Lab").as_posix() for file in tmp_path.rglob("*.*")}
    assert {"my_lab/registry.yaml", "my_lab/noise_model.py", "tests/test_student_t.py"} <= files
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["My_Lab"]


@pytest.mark.parametrize(
    ("folder", "name", "message"),
    [
        ("there", "mine", "exists already. Choose another folder."),
        ("tests", "mine", "the package name tests is taken"),
        ("json", "mine", "the package name json is taken"),
        ("attrs", "mine", "the package name attrs is taken"),
        ("Typing.Extensions", "mine", "the package name typing_extensions is taken"),
        ("denoisplit", "mine", "the package name denoisplit is taken"),
        ("import", "mine", "(got 'import')"),
        ("my lab!", "mine", "(got 'my lab!')"),
        ("2nd-lab", "mine", "(got '2nd-lab')"),
        ("a" * 41, "mine", "Use up to 40 letters"),
        ("lab", "Mine", "(got 'Mine')"),
        ("lab", "student-t", "(got 'student-t')"),
        ("lab", "3d", "(got '3d')"),
        ("lab", "", "(got '')"),
        ("lab", "a" * 31, "Use up to 30 lower-case letters"),
        ("lab", "gaussian", "there is a built-in noise_model of this name (got 'gaussian')"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(tmp_path: Path, folder: str, name: str, message: str) -> None:
    (tmp_path / "there").mkdir()
    result = new(tmp_path / folder, "noise_model", name)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_components_are_added_to_a_package_that_is_there(tmp_path: Path, site: Path) -> None:
    folder = made(tmp_path / "grown-lab", "noise_model", "mine")
    manifest = folder / "grown_lab" / "registry.yaml"
    manifest.write_text(manifest.read_text() + "# the end\n")
    before = {path: path.read_text() for path in folder.rglob("*") if path.is_file()}
    for kind, name in (("calibrator", "mine"), ("noise_model", "other")):
        result = new(folder, kind, name)
        assert result.exit_code == 0, result.output
        assert f"the {kind} {name} in grown_lab/" in result.stdout
    install(folder, site)
    registry = load_registry()
    assert registry.broken == ()
    for kind, name in (("noise_model", "mine"), ("calibrator", "mine"), ("noise_model", "other")):
        assert registry.find(kind, name).load().__module__.startswith("grown_lab.")
    assert all(path.read_text() == text for path, text in before.items() if path != manifest)
    assert manifest.read_text().startswith(before[manifest].removesuffix("# the end\n"))
    assert manifest.read_text().endswith("# the end\n")
    tests = {path.name for path in (folder / "tests").iterdir()}
    assert tests == {"test_mine.py", "test_mine_calibrator.py", "test_other.py"}
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--no-cache", str(folder)], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("summary", ["One line.", "|\n    Several\n    lines.\n", ">-\n    Folded."])
def test_a_manifest_may_be_a_plain_list(tmp_path: Path, site: Path, summary: str) -> None:
    folder = made(tmp_path / "plain-lab", "noise_model", "mine")
    row = f"- kind: noise_model\n  name: mine\n  target: plain_lab.noise_model:Mine\n  summary: {summary}"
    (folder / "plain_lab" / "registry.yaml").write_text(row)
    assert new(folder, "noise_model", "other").exit_code == 0
    install(folder, site)
    rows = [found for found in load_registry().components() if found.package == "plain-lab"]
    assert [found.name for found in rows] == ["mine", "other"]


@pytest.mark.parametrize(
    ("file", "text", "name", "message"),
    [
        ("", "", "mine", "has the noise_model mine already. Choose another --name: names are for ever."),
        ("my_lab/other.py", "mine = 1\n", "other", "other.py: exists already. Choose another --name."),
        ("pyproject.toml", "[project]\nname = 'x'\n", "other", "is not a package of components"),
        ("pyproject.toml", "[project", "other", "is not a project file"),
        ("my_lab/registry.yaml", "components: []\n", "other", "Add the row by hand."),
        ("my_lab/registry.yaml", "components: [\n", "other", "registry.yaml:"),
    ],
)
def test_nothing_of_a_package_is_overwritten(
    tmp_path: Path, file: str, text: str, name: str, message: str
) -> None:
    folder = made(tmp_path / "my-lab", "noise_model", "mine")
    if file:
        (folder / file).write_text(text)
    before = {path: path.read_text() for path in folder.rglob("*") if path.is_file()}
    result = new(folder, "noise_model", name)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert {path: path.read_text() for path in folder.rglob("*") if path.is_file()} == before
