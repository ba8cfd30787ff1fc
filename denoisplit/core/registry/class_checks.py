"""Checks that the class of a component, and its instances, keep to the contract of their kind.

Everything that would make a command fail later is reported here in one line: where it is, what is wrong, and
what is expected.
"""

import inspect
import typing
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

import attrs

from denoisplit.core.errors import BrokenPluginError
from denoisplit.core.registry.contract import BASES, FAMILIES, given, imported
from denoisplit.core.registry.option_defaults import fault_of_default

_ALWAYS_GIVEN: Final = frozenset({"extra", "window", "axes"})
"""Arguments that are always passed, although the bases give them a default. Other arguments with a default
were added later: a component can do without them."""

_CORE: Final = "denoisplit.core."


def _whole(value: object) -> bool:
    return type(value) is int and value >= 0


def _suffixes(value: object) -> bool:
    return isinstance(value, tuple | list) and all(
        isinstance(suffix, str) and len(suffix) > 1 and suffix[0] == "." and suffix == suffix.lower()
        for suffix in value
    )


_ATTRIBUTES: Final[Mapping[str, Mapping[str, tuple[Callable[[Any], bool], str]]]] = {
    "noise_model": {"extra_maps": (_whole, "a whole number, 0 or more")},
    "image_format": {
        "suffixes": (lambda value: _suffixes(value) and bool(value), "lower-case endings such as ('.abc',)"),
        "read_only": (_suffixes, "those of the suffixes that are only read, such as ('.abc',)"),
    },
}
"""Requirements on attributes of a kind."""


def checked_class(loaded: object, *, kind: str, where: str) -> type:
    """Return the loaded component if it keeps to the contract of its kind.

    Args:
        loaded: object that the target named.
        kind: the kind it is registered as.
        where: kind, name and target, for messages.

    Raises:
        BrokenPluginError: not a final subclass of the kind's base, a constructor or methods that do not take
            what they are given, or no frozen attrs class ``Options`` whose options have types and valid
            defaults.
    """
    base = imported(FAMILIES[kind])
    if not (isinstance(loaded, type) and isinstance(base, type) and issubclass(loaded, base)):
        raise BrokenPluginError(
            f"{where}: not a subclass of {BASES[kind]} (got {loaded!r}). Derive it from that class."
        )
    found: Any = loaded
    if fault := _fault_of_class(found, kind):
        raise BrokenPluginError(f"{where}: {fault}")
    check_call(loaded, None, dict.fromkeys(given(loaded)), where)
    return loaded


def check_call(cls: type, options: object, known: Mapping[str, object], where: str) -> None:
    """Check that a constructor accepts the arguments that it is going to get.

    Raises:
        BrokenPluginError: it does not; the message says how to write it.
    """
    try:
        inspect.signature(cls).bind(options, **known)
    except TypeError as error:
        form = ", ".join(["self", "options", *(["*", *known] if known else [])])
        raise BrokenPluginError(
            f"{where}: its constructor does not take what it is given (got: {error}). Write __init__({form})."
        ) from error


def checked_instance(made: Any, *, kind: str, where: str) -> Any:
    """Return an instance if its attributes are as its kind requires.

    Raises:
        BrokenPluginError: an attribute is missing or wrong.
    """
    for name, (fits, expected) in _ATTRIBUTES.get(kind, {}).items():
        if not fits(getattr(made, name, None)):
            raise BrokenPluginError(f"{where}: {_wrong(name, getattr(made, name, None), expected)}")
    return made


@lru_cache(maxsize=512)
def _fault_of_class(loaded: type, kind: str) -> str:
    """The first fault of a class, or nothing."""
    if inspect.isabstract(loaded):
        missing = ", ".join(sorted(getattr(loaded, "__abstractmethods__", ())))
        return f"the class is abstract. Implement {missing}."
    options = getattr(loaded, "Options", None)
    if not (isinstance(options, type) and attrs.has(options)):
        return f"has no attrs class Options (got {options!r}). Nest one, even if empty."
    if any(field.alias == "use" for field in attrs.fields(options) if field.init):
        return "an option is called use, which names the component in a spec. Choose another name."
    faults = (*_faults_of_options(options, set()), *_faults_of_methods(loaded), *_faults_of(loaded, kind))
    return next(iter(faults), "")


def _faults_of_options(options: type, seen: set[type]) -> Iterator[str]:
    """Yield faults of a class of options and of the records among its options."""
    seen.add(options)
    if not _is_frozen(options):
        yield f"{options.__qualname__} can be changed (got no frozen class). Decorate it with @attrs.frozen."
    try:
        hints = type_hints(options)
    except BrokenPluginError as error:
        yield f"{error} Write types that are importable where the class is defined."
        return
    for field in attrs.fields(options):
        if field.init and field.name not in hints:
            yield (
                f"option {field.name} has no type (got no annotation). Write {field.name}: int, "
                f"or another type."
            )
        elif field.init and (fault := fault_of_default(options, field, hints[field.name])):
            yield fault
    for record in (part for hint in hints.values() for part in _records(hint)):
        if record not in seen:
            yield from _faults_of_options(record, seen)


def _is_frozen(options: type) -> bool:
    draft: Any = object.__new__(options)
    try:
        draft._tried = None
    except attrs.exceptions.FrozenError:
        return True
    except AttributeError:
        return False
    return False


def _records(hint: Any) -> Iterator[type]:
    if isinstance(hint, type) and attrs.has(hint):
        yield hint
    for part in typing.get_args(hint):
        yield from _records(part)


def _faults_of_methods(loaded: type) -> Iterator[str]:
    """Yield methods that cannot be called like those of the bases."""
    bases = [base for base in loaded.__mro__ if base.__module__.startswith(_CORE) and base is not loaded]
    for name, expected in ((name, value) for base in bases for name, value in vars(base).items()):
        found = inspect.getattr_static(loaded, name, None)
        if name.startswith("_") or found is expected:
            continue
        if isinstance(expected, property) and inspect.isfunction(found):
            yield f"{name} is a method (got {found!r}). Make it a property."
        if not inspect.isfunction(expected):
            continue
        form = _without_types(inspect.signature(expected))
        if not callable(getattr(loaded, name)):
            yield f"{name} is not a method (got {found!r}). Write def {name}{form}."
        elif reason := _refusal(found, getattr(loaded, name), form):
            yield f"{name} does not take what it is given (got: {reason}). Write def {name}{form}."


def _without_types(form: inspect.Signature) -> inspect.Signature:
    empty = inspect.Parameter.empty
    names = [parameter.replace(annotation=empty) for parameter in form.parameters.values()]
    return form.replace(parameters=names, return_annotation=inspect.Signature.empty)


def _refusal(found: object, method: Callable[..., Any], form: inspect.Signature) -> str:
    """The reason why a method cannot be called with this signature, or nothing."""
    given = [
        parameter
        for parameter in form.parameters.values()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        and (parameter.default is parameter.empty or parameter.name in _ALWAYS_GIVEN)
    ]
    named = {parameter.name: None for parameter in given if parameter.kind is parameter.KEYWORD_ONLY}
    placed = [None] * (len(given) - len(named) - isinstance(found, staticmethod | classmethod))
    try:
        inspect.signature(method).bind(*placed, **named)
    except TypeError as error:
        return str(error)
    except ValueError:  # based on something without a signature
        return ""
    return ""


def _faults_of(loaded: type, kind: str) -> Iterator[str]:
    """Yield wrong attributes of the class; those that an instance computes are checked later."""
    for name, (fits, expected) in _ATTRIBUTES.get(kind, {}).items():
        value = inspect.getattr_static(loaded, name, None)
        if value is not None and not hasattr(type(value), "__get__") and not fits(value):
            yield _wrong(name, value, expected)


def _wrong(name: str, value: object, expected: str) -> str:
    return f"{name} is invalid (got {value!r}). Give {expected}."


@lru_cache(maxsize=1024)
def type_hints(cls: type) -> Mapping[str, Any]:
    """The declared types of a class, with ``Annotated``.

    Raises:
        BrokenPluginError: the annotations cannot be evaluated.
    """
    try:
        return typing.get_type_hints(cls, include_extras=True)
    except Exception as error:
        raise BrokenPluginError(
            f"{cls.__qualname__}: its annotations cannot be evaluated ({error})."
        ) from error
