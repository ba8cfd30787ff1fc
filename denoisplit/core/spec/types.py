"""Declared types, and the values that they accept.

Strict: ``"10"`` is not 10 and ``true`` is not 1; only an integer may stand for a float.
"""

import enum
import math
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import attrs

from denoisplit.core.documents import Node
from denoisplit.core.spec.records import BY_NAME, Chosen

_NAMES: Mapping[object, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    Path: "a path",
    type(None): "null",
    Any: "anything",
}


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


def describe(declared: Any) -> str:
    """The type in words, for messages."""
    declared = bare(declared)
    if is_union(declared):
        return " or ".join(describe(member) for member in get_args(declared))
    if choices := choices_of(declared):
        return "one of " + ", ".join(str(choice) for choice in choices)
    if declared is Chosen:
        return "a component {use: NAME, ...}"
    if is_sequence(declared):
        members = [member for member in get_args(declared) if member is not ...]
        return f"a list, each item {describe(members[0])}" if members else "a list"
    if is_record(declared) or is_mapping(declared):
        return "a mapping"
    return _NAMES.get(declared, str(declared))


def choices_of(declared: Any) -> tuple[Any, ...]:
    """The values of a Literal or of an enumeration; empty for other types."""
    if get_origin(declared) is Literal:
        return get_args(declared)
    if isinstance(declared, type) and issubclass(declared, enum.Enum):
        return tuple(member.value for member in declared)
    return ()


def fits(node: Node, declared: Any, kind: str = "") -> bool:
    """Whether the value has the shape of the type; the content of lists and mappings is ignored.

    ``kind`` is the kind of the components that the type takes.
    """
    declared = bare(declared)
    value = node.value
    if declared is Any:
        return True
    if is_union(declared):
        return any(fits(node, member, kind) for member in get_args(declared))
    if choices := choices_of(declared):
        return any(type(choice) is type(value) for choice in choices)
    if is_sequence(declared):
        return isinstance(value, tuple)
    if declared is Chosen and kind in BY_NAME and isinstance(value, str):
        return True
    if is_record(declared) or is_mapping(declared):
        return isinstance(value, Mapping)
    accepted = {float: (int, float), Path: (str,)}.get(declared, (declared,))
    return type(value) in accepted


def scalar(value: Any, declared: Any) -> Any:
    """Convert a value to a type that it fits.

    Raises:
        ValueError: not finite, too large for a float, or not one of the choices; says what is expected.
    """
    if choices := choices_of(declared):
        if not any(type(choice) is type(value) and choice == value for choice in choices):
            raise ValueError(describe(declared))
        return value if get_origin(declared) is Literal else declared(value)
    if declared is float:
        try:
            number = float(value)
        except OverflowError as error:
            raise ValueError("a number that a float can hold") from error
        if not math.isfinite(number):
            raise ValueError("a finite number")
        return number
    return value
