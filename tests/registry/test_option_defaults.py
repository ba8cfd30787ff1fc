"""A default of an option is one that a spec could give."""

from pathlib import Path
from typing import Any, Literal

import attrs
import pytest

from denoisplit.core.registry.class_checks import type_hints
from denoisplit.core.registry.option_defaults import fault_of_default


@attrs.frozen
class Good:
    """Options whose defaults may stand."""

    needed: int
    width: float = 8
    offset: float | None = None
    sides: tuple[int, ...] = attrs.field(factory=list)  # a list may stand for it
    pair: tuple[int, float] = (1, 2)
    table: Path = "table.csv"  # type: ignore[assignment]  # so may a text
    mode: Literal["fast", "exact"] = "fast"
    anything: Any = None
    named: dict[str, list[int]] = attrs.field(factory=lambda: {"a": [1]})
    words: str = attrs.field(default=3, converter=str)  # type: ignore[assignment]
    most: float = attrs.field(default=attrs.Factory(lambda self: self.width, takes_self=True))
    upper: float = attrs.field(default=2.0)

    @upper.validator
    def _within(self, _attribute: object, value: float) -> None:
        if value > self.width:
            raise ValueError(value)


@attrs.frozen
class Bad:
    """Options whose defaults no spec could give."""

    truth: int = True
    text: float = "1"  # type: ignore[assignment]
    items: tuple[int, ...] = (1, 2.5)  # type: ignore[assignment]
    pair: tuple[int, int] = (1,)  # type: ignore[assignment]
    mode: Literal["fast", "exact"] = "quick"  # type: ignore[assignment]
    named: dict[str, int] = attrs.field(factory=lambda: {"a": "b"})
    table: Path | None = 3  # type: ignore[assignment]
    either: int | bool | None = 0.5  # type: ignore[assignment]


def faults(options: type) -> dict[str, str]:
    hints = type_hints(options)
    return {
        field.name: fault_of_default(options, field, hints[field.name]) for field in attrs.fields(options)
    }


def test_defaults_of_their_types_are_taken() -> None:
    assert {name: fault for name, fault in faults(Good).items() if fault} == {}


@pytest.mark.parametrize("name", [field.name for field in attrs.fields(Bad)])
def test_a_default_of_another_type_is_told(name: str) -> None:
    assert f"option {name} has a default of another type (got " in faults(Bad)[name]
