"""Rules of validators as records; the only module that looks into validators.

Reads the validators of ``attrs.validators``, and those that one of them stands for
(``denoisplit.core.validators.described_by``). Other validators are unknown: their rule accepts anything, and
they run when the spec is resolved. These records are the source of the words in ``denoisplit plugins show``,
of the JSON schema, and of the values with which components are examined.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import attrs

_SCALARS: Final = (bool, int, float, str)


@attrs.frozen
class Bound:
    """A bound on one side; ``sign`` is ``>=``, ``>``, ``<=`` or ``<``."""

    sign: str
    value: Any


@attrs.frozen
class Length:
    """A least (``>=``) or greatest (``<=``) length of a text or list."""

    sign: str
    value: int


@attrs.frozen
class OneOf:
    """One of a few plain values."""

    values: tuple[Any, ...]


@attrs.frozen
class Pattern:
    """A text that matches a regular expression."""

    text: str


@attrs.frozen
class Items:
    """A list whose items all obey a rule."""

    each: "Rule"


@attrs.frozen
class Values:
    """A mapping whose values all obey a rule."""

    each: "Rule"


@attrs.frozen
class OrNone:
    """None, or a value that obeys a rule."""

    rule: "Rule"


@attrs.frozen
class Every:
    """A value that obeys all rules; any value if there are none."""

    rules: tuple["Rule", ...] = ()


@attrs.frozen
class Either:
    """A value that obeys at least one of the rules."""

    rules: tuple["Rule", ...]


Rule = Bound | Length | OneOf | Pattern | Items | Values | OrNone | Every | Either

ANYTHING: Final = Every()
"""The rule of an unknown validator."""


def rule(validator: Any) -> Rule:
    """The rule of a validator; any value for None."""
    if hasattr(validator, "stands_for"):
        return rule(validator.stands_for)
    if hasattr(validator, "exc_types"):  # a not_, which refuses what its inner validator accepts
        return ANYTHING
    if hasattr(validator, "_validators"):
        return every(rule(member) for member in validator._validators)
    if hasattr(validator, "validators"):
        return Either(tuple(rule(member) for member in validator.validators))
    if hasattr(validator, "bound"):
        return Bound(validator.compare_op, validator.bound)
    if hasattr(validator, "min_length"):
        return Length(">=", validator.min_length)
    if hasattr(validator, "max_length"):
        return Length("<=", validator.max_length)
    if hasattr(validator, "pattern"):
        return Pattern(validator.pattern.pattern)
    if hasattr(validator, "member_validator"):
        return every((Items(rule(validator.member_validator)), rule(validator.iterable_validator)))
    if hasattr(validator, "value_validator"):
        return Values(rule(validator.value_validator))
    if hasattr(validator, "validator"):
        return OrNone(rule(validator.validator))
    values = _plain(validator)
    return OneOf(values) if values else ANYTHING


def every(rules: Iterator[Rule] | Sequence[Rule]) -> Rule:
    """All rules as one, without those that accept anything."""
    flat: list[Rule] = []
    for one in rules:
        flat += one.rules if isinstance(one, Every) else (one,)
    return flat[0] if len(flat) == 1 else Every(tuple(flat))


def parts(whole: Rule) -> tuple[Rule, ...]:
    """The rules that a value other than None has to obey together."""
    if isinstance(whole, Every):
        return tuple(part for one in whole.rules for part in parts(one))
    return parts(whole.rule) if isinstance(whole, OrNone) else (whole,)


def _plain(validator: Any) -> tuple[Any, ...]:
    """The values of ``in_``, if they are plain."""
    options = getattr(validator, "_original_options", None) or getattr(validator, "options", ())
    if not isinstance(options, Sequence | frozenset | set) or isinstance(options, str):
        return ()
    return tuple(options) if all(isinstance(option, _SCALARS) for option in options) else ()
