"""Find unused definitions: ``python -m tools.unused``.

Tests and benchmarks do not count as callers. Definitions that are reached by name count as used: the classes
of ``registry.yaml``, the kit for authors of plugins, functions that a decorator passes on, methods of an
external base class, and methods that notebooks call, such as ``_repr_html_``.
"""

import ast
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[1]
PACKAGE: Final = ROOT / "denoisplit"
KIT: Final = PACKAGE / "testing"
SORTS: Final = ("function", "method", "class", "property")

_KEPT_BY: Final = ("contextmanager", "cache", "staticmethod", "classmethod", "property", "final", "frozen")
"""Decorators that do not pass a definition on."""


def main() -> int:
    """Report unused definitions, and return their number."""
    found = [*unused(PACKAGE)]
    for item in found:
        place = f"{item.filename.relative_to(ROOT)}:{item.first_lineno}"
        advice = "Remove it, or move it to its tests."
        sys.stdout.write(f"{place}: nothing calls the {item.typ} {item.name}. {advice}\n")
    return len(found)


def unused(package: Path) -> Iterator[Any]:
    """Yield definitions of a package that are neither used nor reached by name."""
    search: Any = import_module("vulture").Vulture()  # has no types
    search.scavenge([str(package)])
    rows = yaml.safe_load((ROOT / "registry.yaml").read_text(encoding="utf-8"))
    named = {row["target"].partition(":")[2] for row in rows}
    for item in search.get_unused_code(min_confidence=60):
        reached = item.name in named or item.name.startswith(("__", "_repr_")) or KIT in item.filename.parents
        if item.typ in SORTS and not reached and not _handed_on(item) and not _is_of_a_base(item):
            yield item


def _handed_on(item: Any) -> bool:
    """Whether a decorator passes it on, to a command line or to a record."""
    node = _definition(item)
    names = [ast.unparse(one).split("(")[0].rpartition(".")[2] for one in node.decorator_list]
    return any(name not in _KEPT_BY for name in names)


def _is_of_a_base(item: Any) -> bool:
    """Whether it overrides a method that a base class calls."""
    if item.typ not in ("method", "property"):
        return False
    module = import_module(".".join(item.filename.relative_to(ROOT).with_suffix("").parts))
    owners = [one for one in vars(module).values() if isinstance(one, type) and item.name in vars(one)]
    return any(hasattr(base, item.name) for owner in owners for base in owner.__mro__[1:])


def _definition(item: Any) -> ast.FunctionDef | ast.ClassDef:
    tree = ast.parse(item.filename.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == item.name:
            first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
            if first == item.first_lineno:
                return node
    raise LookupError(f"{item.filename}:{item.first_lineno}: no definition of {item.name}")


if __name__ == "__main__":
    sys.exit(min(main(), 1))
