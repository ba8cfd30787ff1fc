"""The map of the method leads to code and tests that exist."""

import ast
import re
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

import denoisplit

ROOT = Path(denoisplit.__file__).parents[1]
PAGE = (ROOT / "docs/method-map.md").read_text(encoding="utf-8")
TABLES = "\n".join(line for line in PAGE.splitlines() if line.startswith("| "))
PLACE = re.compile(r"`([\w.]+):([\w.]+)`")
PIN = re.compile(r"`([\w/]+\.py)::(\w+)`")
WALK = ROOT / "tests/golden/test_walk.py"


def rows() -> list[list[str]]:
    """Cells of all rows of all tables."""
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in TABLES.splitlines()]
    return [row for row in cells if row[0] not in ("element", "number")]


@cache
def functions(path: Path) -> frozenset[str]:
    """Names of the functions of a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize(("module", "name"), sorted(set(PLACE.findall(TABLES))))
def test_the_code_is_where_the_map_says(module: str, name: str) -> None:
    outside = module.startswith(("benchmarks.", "tests."))
    full = module if outside else f"denoisplit.{module}"
    found: object = import_module(full)
    for part in name.split("."):
        found = getattr(found, part)
    assert getattr(found, "__module__", full) == full


@pytest.mark.parametrize("file", sorted({file for file, _ in PIN.findall(TABLES)}))
def test_the_tests_are_where_the_map_says(file: str) -> None:
    named = {name for other, name in PIN.findall(TABLES) if other == file}
    assert named <= functions(ROOT / "tests" / file)
    assert all(name.startswith(("test_", "check_")) for name in named)


def test_every_check_that_the_map_names_is_run_by_the_walk() -> None:
    imported = {
        alias.name
        for node in ast.parse(WALK.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert {name for _, name in PIN.findall(TABLES) if name.startswith("check_")} <= imported


def test_every_element_has_its_place_and_its_test() -> None:
    for row in rows():
        assert len(row) in (3, 4), row[0]
        assert PIN.search(row[-1]), row[0]
        if len(row) == 3:
            assert PLACE.search(row[1]), row[0]


def test_the_map_has_every_section_of_the_method() -> None:
    assert [line[3] for line in PAGE.splitlines() if re.match(r"## \d ", line)] == list("123456789")
