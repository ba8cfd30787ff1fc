"""The rules of the house that no linter checks."""

import ast
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from graphlib import TopologicalSorter
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import denoisplit

ROOT = Path(denoisplit.__file__).parents[1]
MODULES = sorted((ROOT / "denoisplit").rglob("*.py"))
OF_PLUGINS = sorted((ROOT / "packages").glob("*/src/**/*.py"))
"""Modules of distributions of their own."""
MAX_LINES = 300
REPLACES_TORCH = {"torchvision", "torchaudio"}


def _named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _imported(tree: ast.Module) -> Iterator[str]:
    """Top-level packages that a module names in an import, wherever it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module.partition(".")[0]


def _installed_requirements(package: str) -> dict[str, str]:
    """Everything installed that a package needs, directly or not, and which package needs it."""
    found: dict[str, str] = {}
    waiting: list[tuple[str, tuple[str, ...]]] = [(package, ())]
    done: set[tuple[str, tuple[str, ...]]] = set()
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in done:
            continue
        done.add((name, extras))
        try:
            lines = requires(name) or []
        except PackageNotFoundError:
            continue
        for line in lines:
            needed = Requirement(line)
            marker = needed.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in (*extras, "")):
                child = canonicalize_name(needed.name)
                found.setdefault(child, name)
                waiting.append((child, tuple(sorted(needed.extras))))
    return found


@pytest.mark.parametrize("path", MODULES + OF_PLUGINS, ids=_named)
def test_a_module_is_short_documented_and_needs_no_torchvision(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert len(text.splitlines()) <= MAX_LINES
    assert ast.get_docstring(tree), "no docstring"
    assert not REPLACES_TORCH & set(_imported(tree))


def test_no_module_prints() -> None:
    calls = [
        f"{_named(path)}:{node.lineno}"
        for path in MODULES + OF_PLUGINS
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert calls == []


@pytest.mark.parametrize("path", sorted((ROOT / "tests").rglob("test_*.py")), ids=lambda path: path.name)
def test_a_module_of_tests_has_tests(path: Path) -> None:
    """An empty one, left by a slip, would be missed by nobody."""
    assert "def test_" in path.read_text(encoding="utf-8") or "Tests)" in path.read_text(encoding="utf-8")


def test_every_room_of_the_core_has_its_place_in_the_layers() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    (layers,) = [one["layers"] for one in contracts if one["type"] == "layers" and "containers" not in one]
    placed = {module.strip() for line in layers for module in line.split("|")}
    for path in MODULES:
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        parents = {".".join(module.split(".")[:depth]) for depth in range(1, module.count(".") + 2)}
        rooms = {"denoisplit", "denoisplit.core", "denoisplit.core.network", "denoisplit.testing"}
        assert (
            placed & parents
            or module in rooms
            or module.startswith(("denoisplit.plugins", "denoisplit.testing"))
        )


def test_no_modules_import_each_other_wherever_the_import_stands() -> None:
    named = {_named(path)[:-3].removesuffix("/__init__").replace("/", "."): path for path in MODULES}
    graph = {
        name: {other for other in _modules_imported(path) if other in named and other != name}
        for name, path in named.items()
    }
    TopologicalSorter(graph).prepare()  # refuses cycles, and names one


def _modules_imported(path: Path) -> Iterator[str]:
    """Modules that a module imports from; of a name in a package, the module of this name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            within = [f"{node.module}.{alias.name}" for alias in node.names]
            known = [name for name in within if (ROOT / f"{name.replace('.', '/')}.py").is_file()]
            yield from known
            if len(known) < len(within):
                yield node.module


def test_no_requirement_needs_torchvision() -> None:
    needed = _installed_requirements("denoisplit")
    assert {"torch", "lightning-fabric", "jinja2"} <= needed.keys()  # jinja2 is one of torch
    assert not {name: by for name, by in needed.items() if name in REPLACES_TORCH}


def test_all_files_tell_the_same_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert denoisplit.__version__ == project["version"] == citation["version"]


def test_the_change_log_ends_in_this_version_or_in_unreleased_changes() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == "Unreleased" or headings[0].startswith(denoisplit.__version__)


def test_no_two_modules_have_one_name() -> None:
    """Components are found by kind and name, so an encoder may be called as a decoder is."""
    names = Counter(
        path.stem
        for path in MODULES
        if path.stem not in ("__init__", "__main__") and path.parents[1].name != "plugins"
    )
    assert [name for name, count in names.items() if count > 1] == []


def test_types_of_arrays_have_one_home() -> None:
    found = [
        _named(path)
        for path in MODULES
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and re.search(r"\bArray$|\w+Array$", ast.unparse(node.targets[0]))
    ]
    assert set(found) == {"denoisplit/core/arrays.py"}
