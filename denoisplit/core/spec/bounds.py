"""Values that an option's validator accepts: in words for people, as JSON Schema for editors."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from denoisplit.core.spec.rules import (
    Bound,
    Either,
    Every,
    Items,
    Length,
    OneOf,
    OrNone,
    Pattern,
    Rule,
    Values,
    rule,
)

JSON = dict[str, Any]

_LIMITS: Final[Mapping[str, str]] = {
    ">=": "minimum",
    ">": "exclusiveMinimum",
    "<=": "maximum",
    "<": "exclusiveMaximum",
}
_SIZES: Final[Mapping[str, str]] = {">=": "min", "<=": "max"}


def bounds(validator: Any) -> tuple[str, ...]:
    """Bounds such as ``>= 1``, each once."""
    return tuple(dict.fromkeys(_words(rule(validator))))


def _words(said: Rule) -> Iterator[str]:
    match said:
        case Bound(sign, value):
            yield f"{sign} {value}"
        case Length(sign, value):
            yield f"length {sign} {value}"
        case Pattern(text):
            yield f"matches {text}"
        case OneOf(values):
            yield "one of " + ", ".join(str(value) for value in values)
        case Items(inner) | Values(inner) | OrNone(inner):
            yield from _words(inner)
        case Every(rules) | Either(rules):
            for one in rules:
                yield from _words(one)


def constraint(validator: Any) -> JSON:
    """JSON Schema of the values that a validator accepts; empty if nothing is known."""
    return _schema(rule(validator))


def _schema(said: Rule) -> JSON:
    match said:
        case Bound(sign, value):
            return _limit(sign, value)
        case Length(sign, value):
            size = {f"{_SIZES[sign]}{what}": value for what in ("Length", "Items", "Properties")}
            return {"type": ["string", "array", "object"], **size}
        case OneOf(values):
            return {"enum": list(values)}
        case Items(inner):
            items = _schema(inner)
            return merged({"type": "array"}, {"items": items} if items else {})
        case OrNone(inner):
            some = _schema(inner)
            return {"anyOf": [{"type": "null"}, some]} if some else {}
        case Every(rules):
            return merged(*(_schema(one) for one in rules))
        case Either(rules):
            members = [_schema(one) for one in rules]
            return {"anyOf": members} if all(members) else {}
        case _:
            return {}


def _limit(operator: str, bound: Any) -> JSON:
    if operator not in _LIMITS or type(bound) not in (int, float) or not math.isfinite(bound):
        return {}
    return {"type": "number", _LIMITS[operator]: bound}


def merged(*schemas: JSON) -> JSON:
    """A schema that accepts what all schemas accept, on one level where possible."""
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
    """Both schemas on one level; None if they give different values for a key."""
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
