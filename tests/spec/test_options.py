"""What is said of options is what their validators do."""

import itertools
from pathlib import Path
from typing import Any

import attrs
import jsonschema
import pytest
from attrs.validators import (
    and_,
    deep_iterable,
    ge,
    gt,
    in_,
    instance_of,
    le,
    lt,
    max_len,
    min_len,
    not_,
    optional,
    or_,
)

from denoisplit.core.registry.component import Component
from denoisplit.core.registry.registry import load_registry
from denoisplit.core.spec.bounds import bounds, constraint, merged
from denoisplit.core.spec.options import Option, code_of, options_of
from denoisplit.core.validators import described_by

BUILT_IN = [row for row in load_registry().components() if row.package == "denoisplit"]
UNBOUNDED = {"offset", "lowest", "highest", "log_variance_floor", "distortion"}
"""Numbers that may have any value: positions on the scale of counts, and logarithms."""
OF_NO_UNIT = ("probability", "share", "part", "fraction", "weight", "multiplier", "that of the mixture")
VALUES: list[Any] = [
    *(-1, 0, 0.5, 1, 1.0, 2, 3, None, "a", "ab", "abc"),
    *([], [0], [1], [0, 1], [1, 2], [1, 2, 3], [[]], [[1], []], [[1], [2]], [[0]]),
]
KNOWN: list[Any] = [
    ge(1),
    gt(1),
    le(1),
    lt(1),
    and_(ge(0), lt(2)),
    in_((0, 2, "a")),
    in_(["a", "ab"]),
    or_(ge(1), deep_iterable(ge(1))),
    or_(ge(1), and_(min_len(1), deep_iterable(ge(1)))),
    optional(gt(0)),
    optional(and_(min_len(2), max_len(2))),
    deep_iterable(ge(1), min_len(2)),
    deep_iterable(and_(min_len(1), deep_iterable(ge(1)))),
    or_(in_((0, 2)), in_(("a",))),
]


def accepted(validator: Any, value: Any) -> bool:
    """Whether the validator has no objection; one that cannot even compare has."""
    try:
        _checked(validator, value)
    except (ValueError, TypeError):
        return False
    return True


def _checked(validator: Any, value: Any) -> None:
    attrs.make_class("Holder", {"value": attrs.field(validator=validator)})(value)


@pytest.mark.parametrize("validator", KNOWN, ids=repr)
def test_a_constraint_accepts_what_its_validator_accepts_and_nothing_else(validator: Any) -> None:
    schema = jsonschema.Draft7Validator(constraint(validator))
    for value in VALUES:
        assert schema.is_valid(value) == accepted(validator, value), value


@pytest.mark.parametrize("validator", [instance_of(int), not_(ge(1)), lambda *_: None, None])
def test_of_other_validators_nothing_is_claimed(validator: Any) -> None:
    assert constraint(validator) == {}
    assert bounds(validator) == ()


def test_a_validator_of_ones_own_is_described_by_another() -> None:
    @described_by(or_(ge(0), deep_iterable(ge(0))))
    def not_negative(_instance: object, _attribute: object, value: Any) -> None:
        if min(value if isinstance(value, tuple) else (value,)) < 0:
            raise ValueError("must not be negative")

    assert bounds(not_negative) == (">= 0",)
    assert constraint(not_negative) == constraint(or_(ge(0), deep_iterable(ge(0))))
    with pytest.raises(ValueError, match="must not be negative"):
        _checked(not_negative, (1, -1))
    _checked(not_negative, 3)


def test_merging_keeps_what_each_schema_refuses() -> None:
    schemas: list[dict[str, Any]] = [
        {"type": "integer"},
        {"type": "number", "minimum": 1},
        {"minimum": 2},
        {"enum": [1, 3, 4.5]},
    ]
    for parts in itertools.permutations(schemas):
        whole = jsonschema.Draft7Validator(merged(*parts))
        for value in VALUES:
            each = all(jsonschema.Draft7Validator(part).is_valid(value) for part in parts)
            assert whole.is_valid(value) == each


@attrs.frozen(kw_only=True)
class Documented:
    """Options.

    Attributes:
        side: side of a patch, pixels.
        offset: counts without light; None to fit.
        blocks: blocks per level.
        names: pixels that are named.
    """

    side: int = attrs.field(validator=ge(1))
    offset: float | None = None
    blocks: int = attrs.field(default=2, validator=in_((1, 2)))
    names: tuple[str, ...] = ()
    flag: bool = False


@attrs.frozen(kw_only=True)
class Derived(Documented):
    """More options.

    Attributes:
        side: side of a window, pixels.
        more: seconds to wait, s.
    """

    more: float = 0.0


def test_inherited_options_are_described_where_they_are_from_unless_said_anew() -> None:
    found = {option.name: option.meaning for option in options_of(Derived)}
    inherited = {option.name: option.meaning for option in options_of(Documented)}
    assert list(found) == [*inherited, "more"]
    assert found == inherited | {"side": "side of a window, pixels.", "more": "seconds to wait, s."}


def test_an_option_is_described_by_type_validator_and_docstring() -> None:
    side, offset, blocks, names, flag = options_of(Documented)
    assert side == Option(
        name="side",
        type="a whole number",
        bounds=(">= 1",),
        needed=True,
        default=None,
        unit="pixels",
        meaning="side of a patch, pixels.",
    )
    assert (offset.unit, offset.default_text, offset.meaning) == (
        "counts",
        "null",
        "counts without light; `null` to fit.",
    )
    assert (blocks.accepts, blocks.unit, blocks.default_text) == ("a whole number, one of 1, 2", "", "2")
    assert (names.default_text, names.unit) == ("[]", "")
    assert (flag.default_text, flag.meaning) == ("false", "")


def test_the_code_of_a_class_is_found_and_that_of_a_session_is_not() -> None:
    file, line = code_of(Documented)
    assert file is not None
    assert file.samefile(__file__)
    assert Path(__file__).read_text(encoding="utf-8").splitlines()[line - 1] in (
        "@attrs.frozen(kw_only=True)",
        "class Documented:",
    )
    assert code_of(type("Typed", (), {"__module__": "__main__"})) == (None, 0)


@pytest.mark.parametrize("row", BUILT_IN, ids=lambda row: f"{row.kind}-{row.name}")
def test_every_option_of_a_built_in_has_meaning_unit_and_bounds(row: Component) -> None:
    options = row.load().Options
    validators = {field.name: field.validator for field in attrs.fields(options)}
    for option in options_of(options):
        assert option.meaning.endswith("."), f"{option.name} has no meaning, or one without a full stop"
        number = option.type.startswith(("a number", "a whole number"))
        if number and option.name not in UNBOUNDED:
            assert option.bounds, f"{option.name} has no bounds"
            assert constraint(validators[option.name])
        if option.type.startswith("a number"):
            assert option.unit or any(word in option.meaning for word in OF_NO_UNIT), f"unit of {option.name}"
