"""What callers in Python give: of any type, for they may be wrong about it."""

import os
from collections.abc import Iterable, Mapping
from numbers import Integral
from pathlib import Path
from typing import Any, TypeGuard

from denoisplit.core.errors import ArgumentError


def path_of(given: object, name: str) -> Path:
    """A path.

    Args:
        given: should be text or a path.
        name: of the argument.

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
    """One path, or several.

    Raises:
        ArgumentError: something else.
    """
    if isinstance(given, Iterable) and not isinstance(given, str | bytes | os.PathLike):
        return [path_of(one, name) for one in given]
    return [path_of(given, name)]


def texts_of(given: object, name: str) -> tuple[str, ...]:
    """Several texts, such as ``["a.b=1"]``; raises as ``items_of``."""
    return items_of(given, str, name, "texts")


def items_of(given: object, kind: Any, name: str, what: str) -> tuple[Any, ...]:
    """Several objects.

    Args:
        given: should be a list of them, or the like.
        kind: their type, or several types.
        name: of the argument.
        what: they are.

    Raises:
        ArgumentError: something else; a single text, too, whose letters would be meant, and a mapping, whose
            values would not.
    """
    several = isinstance(given, Iterable) and not isinstance(given, str | bytes | Mapping)
    items = tuple(given) if isinstance(given, Iterable) and several else (None,)
    if not all(isinstance(item, kind) for item in items):
        raise ArgumentError(f"{name}: must be a list of {what} (got {shown(given)}). Give such a list.")
    return items


def require(fits: bool, name: str, given: object, what: str) -> None:
    """Refuse an argument of another type.

    Args:
        fits: whether it is of the right one.
        name: of the argument.
        given: it.
        what: it should be.

    Raises:
        ArgumentError: it does not fit.
    """
    if not fits:
        raise ArgumentError(f"{name}: must be {what} (got {shown(given)}). Leave it out for the default.")


def require_function(given: object, name: str) -> None:
    """Refuse what cannot be called; raises as ``require``."""
    require(callable(given), name, given, "a function")


def is_whole(given: object) -> TypeGuard[Integral]:
    """Whether it is a whole number, also one of NumPy; True and False are none."""
    return isinstance(given, Integral) and not isinstance(given, bool)


def shown(given: object) -> str:
    """A value as a message shows it: plain ones as they are written, others by their type."""
    plain = given is None or isinstance(given, str | bytes | int | float)
    return f"{given!r:.60}" if plain else type(given).__name__
