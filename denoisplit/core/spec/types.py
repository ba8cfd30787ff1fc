"""The values of a spec that declared types accept.

Strict: ``"10"`` is not 10 and ``true`` is not 1; only an integer may stand for a float.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from denoisplit.core.documents import Node
from denoisplit.core.registry.declared_types import (
    bare,
    choices_of,
    is_mapping,
    is_record,
    is_sequence,
    is_union,
)
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
