"""Declared types of options, and whether a value in Python is of one."""

import enum
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

import attrs

_STAND_FOR: Final[Mapping[object, tuple[type, ...]]] = {float: (int, float), Path: (str, Path)}
"""Types of values that are taken for another type."""


def bare(declared: Any) -> Any:
    """The declared type without ``Annotated``."""
    return get_args(declared)[0] if get_origin(declared) is Annotated else declared


def is_union(declared: Any) -> bool:
    """Whether the type is ``A | B``."""
    return get_origin(declared) in (Union, types.UnionType)


def is_sequence(declared: Any) -> bool:
    """Whether the type accepts a YAML list."""
    origin = get_origin(declared) or declared
    return origin in (tuple, list, Sequence, typing.Sequence)


def is_mapping(declared: Any) -> bool:
    """Whether the type accepts a YAML mapping with arbitrary keys."""
    return (get_origin(declared) or declared) in (dict, Mapping, typing.Mapping)


def is_record(declared: Any) -> bool:
    """Whether the type is an attrs class or a component."""
    return isinstance(declared, type) and attrs.has(declared)


def choices_of(declared: Any) -> tuple[Any, ...]:
    """The values of a Literal or of an enumeration; empty for other types."""
    if get_origin(declared) is Literal:
        return get_args(declared)
    if isinstance(declared, type) and issubclass(declared, enum.Enum):
        return tuple(member.value for member in declared)
    return ()


def is_of(value: object, declared: Any) -> bool:
    """Whether a value is of a type; a list may stand for a tuple, and what cannot be told is taken to be."""
    declared = bare(declared)
    members = get_args(declared)
    if is_union(declared):
        return any(is_of(value, member) for member in members)
    if get_origin(declared) is Literal:
        return any(type(choice) is type(value) and choice == value for choice in members)
    if is_sequence(declared):
        return isinstance(value, tuple | list) and _are_items(value, declared)
    if is_mapping(declared):
        _, item = members or (str, Any)
        return isinstance(value, Mapping) and all(is_of(one, item) for one in value.values())
    if isinstance(value, bool) and declared in (int, float):
        return False
    try:
        return isinstance(value, _STAND_FOR.get(declared, declared))
    except TypeError:  # Any, or a type that has no instances
        return True


def _are_items(items: Sequence[object], declared: Any) -> bool:
    members = get_args(declared) or (Any, ...)
    if get_origin(declared) is tuple and members[-1] is not ...:
        return len(items) == len(members) and all(map(is_of, items, members))
    return all(is_of(item, members[0]) for item in items)
