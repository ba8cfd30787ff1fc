"""Places in a source where a small mistake may change behaviour: the bodies of functions, but for words."""

import ast
from collections.abc import Iterator
from typing import Final

import attrs

_GUARD: Final = "strict"
"""Keyword of ``zip`` that has no effect where lengths are right, as they always are."""

_HINTS: Final = ("annotation", "returns", "decorator_list", "args")
"""Fields of functions and assignments that only annotate."""


@attrs.frozen
class Place:
    """Place of an expression.

    Attributes:
        function: name of the function, with its class.
        within: the statement and every expression around it, and itself.
        inside: whether it is in a function.
        graded: whether it may have a gradient.
        said: statements of the function whose values are read by messages alone, by identity.
    """

    function: str = ""
    within: tuple[str, ...] = ()
    inside: bool = False
    graded: bool = True
    said: frozenset[int] = frozenset()


def places(tree: ast.Module) -> dict[int, Place]:
    """Return the expressions that may be mutated, by identity.

    Annotations, decorators, defaults, assertions and the guard ``strict`` of ``zip`` are left out, and so is
    what is only said: raised errors, formatted text, the choice between two sentences, and values that
    nothing but these reads. Suites demand a message of one line, not its words.
    """
    return dict(_found(tree, Place()))


def _found(node: ast.AST, place: Place) -> Iterator[tuple[int, Place]]:
    """Yield the expressions to mutate in the bodies of functions, by identity."""
    if _is_message(node) or _is_guard(node) or id(node) in place.said:
        return
    if isinstance(node, ast.expr) and place.inside:
        place = attrs.evolve(place, within=(*place.within, ast.unparse(node)))
        yield id(node), place
    elif isinstance(node, ast.stmt):
        place = attrs.evolve(place, within=() if hasattr(node, "body") else (ast.unparse(node),))
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        place = attrs.evolve(place, function=f"{place.function}.{node.name}".removeprefix("."))
    if isinstance(node, ast.FunctionDef | ast.Lambda):
        place = attrs.evolve(place, inside=True, said=place.said | _only_said(node))
    if _is_plain(node):
        place = attrs.evolve(place, graded=False)
    declares = isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AnnAssign)
    for name, child in ast.iter_fields(node):
        if declares and name in _HINTS:
            continue
        for one in child if isinstance(child, list) else [child]:
            if isinstance(one, ast.AST):
                yield from _found(one, place)


def _is_plain(node: ast.AST) -> bool:
    """Whether its contents have no gradient: it becomes a plain number or array, or is not recorded."""
    if isinstance(node, ast.With):
        return any("no_grad" in ast.unparse(item) for item in node.items)
    if isinstance(node, ast.Call):
        called = node.func
        return isinstance(called, ast.Name) and called.id in ("float", "int", "bool")
    return isinstance(node, ast.Attribute) and node.attr in ("detach", "numpy", "tolist", "item")


def _is_message(node: ast.AST) -> bool:
    """Whether a node is an error or a text for the user."""
    if isinstance(node, ast.IfExp):
        return _is_sentence(node.body) and _is_sentence(node.orelse)
    return isinstance(node, ast.Raise | ast.JoinedStr | ast.Assert) or _is_error(node)


def _is_sentence(node: ast.expr) -> bool:
    """Whether a text is formatted or has several words."""
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value.strip()
    )


def _only_said(function: ast.AST) -> frozenset[int]:
    """Return the assignments of a function to names that messages alone read, by identity."""
    assigned = [
        node
        for node in ast.walk(function)
        if isinstance(node, ast.Assign) and all(isinstance(one, ast.Name) for one in node.targets)
    ]
    said: frozenset[int] = frozenset()
    while True:
        read = set(_read(function, said))
        named = {id(node): {one.id for one in node.targets if isinstance(one, ast.Name)} for node in assigned}
        found = frozenset(number for number, names in named.items() if not names & read)
        if found == said:
            return said
        said = found


def _read(node: ast.AST, said: frozenset[int]) -> Iterator[str]:
    """Yield the names that are read, but for messages and what only they read."""
    if _is_message(node) or id(node) in said:
        return
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        yield node.id
    for child in ast.iter_child_nodes(node):
        yield from _read(child, said)


def _is_error(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.endswith("Error")


def _is_guard(node: ast.AST) -> bool:
    return isinstance(node, ast.keyword) and node.arg == _GUARD
