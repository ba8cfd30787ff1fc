"""What the validator of an option accepts: in words for people, as JSON Schema for editors.

Reads the validators of ``attrs.validators``, and those that one of them stands for
(``denoisplit.core.validators.described_by``). Of any other nothing is known: it accepts anything here, and
has its say when the spec is resolved.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

JSON = dict[str, Any]

_LIMITS: Final[Mapping[str, str]] = {
    ">=": "minimum",
    ">": "exclusiveMinimum",
    "<=": "maximum",
    "<": "exclusiveMaximum",
}
_SIZED: Final = ["string", "array", "object"]
_SCALARS: Final = (bool, int, float, str)


def bounds(validator: Any) -> tuple[str, ...]:
    """``>= 1`` and the like, each once."""
    return tuple(dict.fromkeys(_words(validator)))


def _words(validator: Any) -> Iterator[str]:
    for member in _members(validator):
        yield from _words(member)
    if hasattr(validator, "bound"):
        yield f"{validator.compare_op} {validator.bound}"
    elif hasattr(validator, "min_length"):
        yield f"length >= {validator.min_length}"
    elif hasattr(validator, "max_length"):
        yield f"length <= {validator.max_length}"
    elif hasattr(validator, "pattern"):
        yield f"matches {validator.pattern.pattern}"
    elif choices := _choices(validator):
        yield "one of " + ", ".join(str(choice) for choice in choices)


def _members(validator: Any) -> Iterator[Any]:
    """The validators that a validator is made of."""
    if hasattr(validator, "exc_types"):  # of not_: what it is made of is what it refuses
        return
    for name in ("_validators", "validators"):
        yield from getattr(validator, name, ())
    for name in ("stands_for", "validator", "iterable_validator", "member_validator", "value_validator"):
        if getattr(validator, name, None) is not None:
            yield getattr(validator, name)


def _choices(validator: Any) -> tuple[Any, ...]:
    """The values of ``in_``, if they are plain."""
    options = getattr(validator, "_original_options", None) or getattr(validator, "options", ())
    if not isinstance(options, Sequence | frozenset | set) or isinstance(options, str):
        return ()
    return tuple(options) if all(isinstance(option, _SCALARS) for option in options) else ()


def constraint(validator: Any) -> JSON:
    """What a value has to be, as JSON Schema; empty when nothing is known."""
    if hasattr(validator, "stands_for"):
        return constraint(validator.stands_for)
    if hasattr(validator, "_validators"):
        return merged(*(constraint(member) for member in validator._validators))
    if hasattr(validator, "validators"):
        members = [constraint(member) for member in validator.validators]
        return {"anyOf": members} if all(members) else {}
    if hasattr(validator, "bound"):
        return _limit(validator.compare_op, validator.bound)
    if hasattr(validator, "member_validator"):
        items = constraint(validator.member_validator)
        whole = constraint(validator.iterable_validator) if validator.iterable_validator else {}
        return merged({"type": "array"}, {"items": items} if items else {}, whole)
    if hasattr(validator, "min_length"):
        least = validator.min_length
        return {"type": _SIZED, "minLength": least, "minItems": least, "minProperties": least}
    if hasattr(validator, "max_length"):
        most = validator.max_length
        return {"type": _SIZED, "maxLength": most, "maxItems": most, "maxProperties": most}
    if hasattr(validator, "validator") and not hasattr(validator, "exc_types"):  # optional
        inner = constraint(validator.validator)
        return {"anyOf": [{"type": "null"}, inner]} if inner else {}
    choices = _choices(validator)
    return {"enum": list(choices)} if choices else {}


def _limit(operator: str, bound: Any) -> JSON:
    if operator not in _LIMITS or type(bound) not in (int, float) or not math.isfinite(bound):
        return {}
    return {"type": "number", _LIMITS[operator]: bound}


def merged(*schemas: JSON) -> JSON:
    """A schema that accepts what all of them accept, in one level where that is possible."""
    result: JSON = {}
    apart: list[JSON] = []
    for schema in schemas:
        both = _both(result, schema)
        if both is None:
            apart.append(schema)
        else:
            result = both
    return {"allOf": [result, *apart]} if apart else result


def _both(one: JSON, two: JSON) -> JSON | None:
    """One level that says what two say, or None where they say different things by one key."""
    shared = {key for key in one.keys() & two.keys() if one[key] != two[key]}
    if not shared:
        return {**one, **two}
    if shared == {"type"} and (narrower := _types(one) & _types(two)):
        if "number" in narrower:
            narrower.discard("integer")
        return {**one, **two, "type": narrower.pop() if len(narrower) == 1 else sorted(narrower)}
    return None


def _types(schema: JSON) -> set[str]:
    """The types a schema accepts; a number may be an integer."""
    named = schema["type"]
    types = {named} if isinstance(named, str) else set(named)
    return types | {"integer"} if "number" in types else types
