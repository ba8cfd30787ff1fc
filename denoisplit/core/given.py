"""Checks of arguments from Python callers, who may pass any type."""

import os
from collections.abc import Iterable, Mapping
from numbers import Integral
from pathlib import Path
from typing import Any, TypeGuard

from denoisplit.core.errors import ArgumentError


def path_of(given: object, name: str) -> Path:
    """Convert an argument to a path.

    Raises:
        ArgumentError: something else, or an empty text, which Python takes for the current folder.
    """
    path = os.fspath(given) if isinstance(given, str | os.PathLike) else None
    if not isinstance(path, str) or not path:
        raise ArgumentError(
            f"{name}: must be the path of a file or folder (got {shown(given)}). Give a str or pathlib.Path."
        )
    return Path(path)


def paths_of(given: object, name: str) -> list[Path]:
    """Convert an argument to a list of paths; it may be a single path.

    Raises:
        ArgumentError: something else.
    """
    if isinstance(given, Iterable) and not isinstance(given, str | bytes | os.PathLike):
        return [path_of(one, name) for one in given]
    return [path_of(given, name)]


def texts_of(given: object, name: str) -> tuple[str, ...]:
    """Convert an argument to a tuple of texts, such as ``["a.b=1"]``; raises the errors of ``items_of``."""
    return items_of(given, str, name, "texts")


def items_of(given: object, kind: Any, name: str, what: str) -> tuple[Any, ...]:
    """Convert an argument to a tuple of objects.

    Raises:
        ArgumentError: something else; also a single text, which would give its letters, and a mapping, which
            would give its keys.
    """
    several = isinstance(given, Iterable) and not isinstance(given, str | bytes | Mapping)
    items = tuple(given) if isinstance(given, Iterable) and several else (None,)
    if not all(isinstance(item, kind) for item in items):
        raise ArgumentError(f"{name}: must be a list of {what} (got {shown(given)}). Give such a list.")
    return items


def require(fits: bool, name: str, given: object, what: str) -> None:
    """Refuse an argument of a wrong type.

    Raises:
        ArgumentError: its type is wrong.
    """
    if not fits:
        raise ArgumentError(f"{name}: must be {what} (got {shown(given)}). Leave it out for the default.")


def require_function(given: object, name: str) -> None:
    """Refuse an argument that cannot be called; raises the error of ``require``."""
    require(callable(given), name, given, "a function")


def is_whole(given: object) -> TypeGuard[Integral]:
    """Whether it is a whole number, including those of NumPy; True and False are not."""
    return isinstance(given, Integral) and not isinstance(given, bool)


def shown(given: object) -> str:
    """A value as shown in messages: plain values as written, others by their type."""
    plain = given is None or isinstance(given, str | bytes | int | float)
    return f"{given!r:.60}" if plain else type(given).__name__
