"""Replaces the code of a loaded module by that of a mutated one."""

import ast
import gc
from collections.abc import Iterator
from types import CodeType, FunctionType


def install(tree: ast.Module, path: str) -> int:
    """Replace the code of every function of a file, wherever it is referred to.

    Returns:
        The number of functions whose code was replaced.
    """
    new = {_key(code): code for code in _codes(compile(tree, path, "exec"))}
    changed = 0
    for function in [one for one in gc.get_objects() if type(one) is FunctionType]:
        old = function.__code__
        other = new.get(_key(old))
        if old.co_filename != path or other is None or other.co_freevars != old.co_freevars:
            continue
        if _same(old, other):
            continue
        function.__code__ = other
        changed += 1
    return changed


def _key(code: CodeType) -> tuple[str, int]:
    return code.co_qualname, code.co_firstlineno


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


def _same(one: CodeType, two: CodeType) -> bool:
    if one.co_code != two.co_code or one.co_names != two.co_names:
        return False
    if len(one.co_consts) != len(two.co_consts):
        return False
    return all(
        _same(a, b) if isinstance(a, CodeType) and isinstance(b, CodeType) else (type(a), a) == (type(b), b)
        for a, b in zip(one.co_consts, two.co_consts, strict=True)
    )
