"""Mutations of a syntax tree, each a plausible small mistake."""

import ast
import copy
from collections.abc import Callable, Iterator
from typing import Final

import attrs

from tools.mutants.places import places

Change = Callable[[ast.expr], ast.expr | None]
"""Function from an expression to the mistaken one; None where it does not apply. May change its argument."""

_ARITHMETIC: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Pow: ast.Mult,
}
_COMPARED: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.GtE,
    ast.LtE: ast.Gt,
    ast.Gt: ast.LtE,
    ast.GtE: ast.Lt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
}
_NAMES: Final = {
    "mean": "sum",
    "sum": "mean",
    "amax": "amin",
    "max": "min",
    "min": "max",
    "maximum": "minimum",
    "minimum": "maximum",
    "sqrt": "square",
    "square": "sqrt",
    "std": "var",
    "stddev": "variance",
    "reversed": "tuple",
    "floor": "ceil",
    "exp": "expm1",
    "log": "log1p",
}
_FUNCTIONS: Final = {"max", "min", "reversed"}
"""The names among them that are built-in functions: other names may be variables."""

_VALUES: Final = {"relu", "exp", "sqrt", "square", "clamp", "abs"}
"""Methods that may be dropped: their result has the shape of the object."""


@attrs.frozen
class Mutation:
    """One mistake.

    Attributes:
        sort: sort of the change.
        line: line of the expression.
        function: function that contains it, with its class.
        within: statement that contains it, or that part of its head, and every expression around it.
        before, after: the expression.
        index: number of the expression in the order of ``ast.walk``.
        change: function that makes the mistake.
    """

    sort: str
    line: int
    function: str
    within: tuple[str, ...]
    before: str
    after: str
    index: int
    change: Change

    def __str__(self) -> str:
        return f"line {self.line}: {self.sort}: {self.before}  ->  {self.after}"


def _sign(node: ast.expr) -> ast.expr | None:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return node.operand
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        node.op = _ARITHMETIC[type(node.op)]()
        return node
    return None


def _factor(node: ast.expr) -> ast.expr | None:
    if isinstance(node, ast.BinOp) and not isinstance(node.op, ast.Add | ast.Sub):
        if type(node.op) not in _ARITHMETIC:
            return None
        node.op = _ARITHMETIC[type(node.op)]()
        return node
    return None


def _dropped(node: ast.expr) -> ast.expr | None:
    return node.left if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mult) else None


def _dropped_other(node: ast.expr) -> ast.expr | None:
    return node.right if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mult) else None


def _dropped_call(node: ast.expr) -> ast.expr | None:
    called = node.func if isinstance(node, ast.Call) else None
    return called.value if isinstance(called, ast.Attribute) and called.attr in _VALUES else None


def _reduced(node: ast.expr) -> ast.expr | None:
    if isinstance(node, ast.Attribute) and node.attr in _NAMES:
        node.attr = _NAMES[node.attr]
        return node
    if isinstance(node, ast.Name) and node.id in _FUNCTIONS and isinstance(node.ctx, ast.Load):
        node.id = _NAMES[node.id]
        return node
    return None


def _compared(node: ast.expr) -> ast.expr | None:
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARED:
        node.ops[0] = _COMPARED[type(node.ops[0])]()
        return node
    return None


def _constant(node: ast.expr) -> ast.expr | None:
    if not isinstance(node, ast.Constant) or isinstance(node.value, bool):
        return None
    if isinstance(node.value, float):
        node.value = 2 * node.value or 1.0
    elif isinstance(node.value, int):
        node.value += 1
    else:
        return None
    return node


def _flag(node: ast.expr) -> ast.expr | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        node.value = not node.value
        return node
    return None


def _branch(node: ast.expr) -> ast.expr | None:
    if isinstance(node, ast.IfExp):
        node.body, node.orelse = node.orelse, node.body
        return node
    return None


def _window(node: ast.expr) -> ast.expr | None:
    if isinstance(node, ast.Slice) and (node.lower is not None or node.upper is not None):
        return ast.Slice()
    return None


def _detached(node: ast.expr) -> ast.expr | None:
    tensors = {"stddev", "mean", "exp", "log", "square", "sqrt", "logsumexp", "clamp"}
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in tensors:
        if ".detach()." in ast.unparse(node.func):
            return None  # it is already
        return ast.Call(ast.Attribute(node, "detach", ast.Load()), [], [])
    return None


_DETACH: Final = "detach"

OPERATORS: Final[dict[str, Change]] = {
    "sign": _sign,
    "factor": _factor,
    "dropped term": _dropped,
    "dropped other term": _dropped_other,
    "dropped call": _dropped_call,
    "reduction": _reduced,
    "comparison": _compared,
    "constant, axis or channel": _constant,
    "flag": _flag,
    "exchanged branches": _branch,
    "window": _window,
    "detach": _detached,
}
"""Changes by sort of mutation."""


def mutations(tree: ast.Module) -> Iterator[Mutation]:
    """Yield every mutation of the bodies of functions.

    What ``places`` leaves out is left alone, and nothing is detached that cannot have a gradient.
    """
    known = places(tree)
    for index, node in enumerate(ast.walk(tree)):
        if not isinstance(node, ast.expr) or id(node) not in known:
            continue
        place = known[id(node)]
        for sort, change in OPERATORS.items():
            if sort == _DETACH and not place.graded:
                continue
            changed = change(copy.deepcopy(node))
            if changed is None:
                continue
            before, after = ast.unparse(node), ast.unparse(ast.fix_missing_locations(changed))
            if before != after:
                yield Mutation(sort, node.lineno, place.function, place.within, before, after, index, change)


def mutated(source: str, mutation: Mutation) -> ast.Module:
    """Return the tree of a source with one mutation."""
    tree = ast.parse(source)
    target = next(node for index, node in enumerate(ast.walk(tree)) if index == mutation.index)
    if not isinstance(target, ast.expr):
        raise TypeError(f"mutants: no expression at {mutation}")
    replacement = mutation.change(copy.deepcopy(target))
    if replacement is None:
        raise TypeError(f"mutants: nothing to change at {mutation}")
    _Replace(target, ast.copy_location(replacement, target)).visit(tree)
    return ast.fix_missing_locations(tree)


class _Replace(ast.NodeTransformer):
    def __init__(self, old: ast.expr, new: ast.expr) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        return self.new if node is self.old else self.generic_visit(node)
