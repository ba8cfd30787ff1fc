"""Places in a spec of problems found after it was resolved."""

import re
from collections.abc import Mapping
from typing import Final

import attrs

from denoisplit.core.documents import Node, problem_at
from denoisplit.core.errors import MissingPackageError, SpecError
from denoisplit.core.spec.records import ResolvedSpec

_PROBLEM: Final = re.compile(r"(?:\$\.)?([a-z_]\w*(?:\.\w+|\[\d+\])*): (.*)", re.DOTALL)
_KEYS: Final = frozenset(field.name for field in attrs.fields(ResolvedSpec))


_NAMED: Final = re.compile(r"\b(?:model|training|data)(?:\.[a-z_]\w*)+")
_PRESET: Final = "preset "
_PARTS: Final = ("encoder", "decoder")


def located(error: SpecError | MissingPackageError, root: Node) -> SpecError | MissingPackageError:
    """The same problems; those that begin with a path of the spec get file, line and column.

    A value missing from the file has a default: its place is that of the mapping it would stand in. If a
    value comes from a preset and the problem names another one from the file, the place is that of the other
    one.
    """
    if isinstance(error, MissingPackageError):
        return MissingPackageError(_located(str(error), root))
    return SpecError([_located(problem, root) for problem in error.problems])


def _located(problem: str, root: Node) -> str:
    found = _PROBLEM.fullmatch(problem)
    if not found or re.split(r"\W", found[1])[0] not in _KEYS:
        return problem
    path, what = found.groups()
    place = _place(path, root)
    if place.startswith(_PRESET):
        parts = (f"model.{part}" for part in _PARTS if path.startswith("model."))
        for other in (*_NAMED.findall(what), *parts):
            written = _place(other, root)
            if not written.startswith(_PRESET):
                colon = "" if what.startswith("must ") else ":"
                return problem_at(written, f"$.{other}", f"{path}{colon} {what}")
    return problem_at(place, f"$.{path}", what)


def _place(path: str, root: Node) -> str:
    """Place of a value, or of the mapping it would stand in."""
    node = root
    for step in re.findall(r"\w+", path):
        below = _below(node, step)
        if below is None:
            return node.begin
        node = below
    return node.where


def _below(node: Node, step: str) -> Node | None:
    if isinstance(node.value, Mapping):
        return node.value.get(step)
    if isinstance(node.value, tuple) and step.isdecimal() and int(step) < len(node.value):
        return node.value[int(step)]
    return None
