"""Checks that the default of an option is one that a spec could give."""

import inspect
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final

import attrs

from denoisplit.core.errors import BrokenPluginError, in_one_line
from denoisplit.core.registry.declared_types import is_of

_FACTORY: Final[Any] = type(attrs.Factory(list))


def fault_of_default(options: type, field: "attrs.Attribute[Any]", declared: Any) -> str:
    """The fault of the default of an option, or nothing.

    Args:
        options: class of the options.
        field: the option.
        declared: its type, evaluated.
    """
    name = field.name
    try:
        default = _default(field)
    except BrokenPluginError as error:
        return f"option {name} has a default that cannot be made (got {error}). Correct its factory."
    if default is attrs.NOTHING:
        return ""
    if not _is_finite(default):
        return (
            f"option {name} has a default that no spec can hold (got {default!r}). "
            f"Use finite numbers, or None for no limit."
        )
    if field.converter is not None:
        return ""
    if not is_of(default, declared):
        form = inspect.formatannotation(declared)
        return (
            f"option {name} has a default of another type (got {default!r} for {form}). "
            f"Give it one of this type, or declare another, such as {form} | None."
        )
    try:
        _validate(options, field, default)
    except BrokenPluginError as error:
        return f"its options have no valid defaults ({error}). Correct that of {name}, or its validator."
    return ""


def _default(field: "attrs.Attribute[Any]") -> Any:
    """The default, ``attrs.NOTHING`` for none and for one that other options decide."""
    default: Any = field.default
    if not isinstance(default, _FACTORY):
        return default
    with _own_code():
        return attrs.NOTHING if default.takes_self else default.factory()


def _validate(options: type, field: "attrs.Attribute[Any]", default: object) -> None:
    """Try a validator without any other option; one that looks at others is not judged."""
    with _own_code(), suppress(AttributeError):
        if field.validator is not None:
            field.validator(object.__new__(options), field, default)


@contextmanager
def _own_code() -> Iterator[None]:
    """Turn any exception into one line: factories and validators are code of the component."""
    try:
        yield
    except Exception as error:
        raise BrokenPluginError(f"{type(error).__name__}: {in_one_line(error)}") from error


def _is_finite(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(_is_finite(item) for item in value.values())
    if isinstance(value, tuple | list | set | frozenset):
        return all(_is_finite(item) for item in value)
    return not isinstance(value, float) or math.isfinite(value)
