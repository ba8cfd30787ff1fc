"""Values for the fields of an ``Options`` class, from their types, defaults and validators."""

import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from types import NoneType
from typing import Any, Final, get_args

import attrs
from hypothesis import strategies as st

from denoisplit.core.errors import DenoisplitError
from denoisplit.core.spec.types import bare, choices_of, is_record, is_union

_STEPS: Final = 16
"""Numbers lie on a grid of so many steps: easy to read in a report."""

_SEVERAL: Final = 2
"""How far whole numbers go above their lower bound: networks stay small."""

_LARGE: Final = 8
_SPREAD: Final = 4.0
_FACTORY: Final[Any] = type(attrs.Factory(list))


@attrs.frozen(kw_only=True)
class Bounds:
    """What the validators of a field say of its value.

    Attributes:
        low, high: smallest and largest value, None for no bound.
        above, below: whether the value has to stay clear of the bound.
        choices: the only values, empty for any.
    """

    low: float | None = None
    high: float | None = None
    above: bool = False
    below: bool = False
    choices: tuple[Any, ...] = ()


def bounds(validator: Any) -> Bounds:
    """Bounds and choices that the validators of attrs declare; other validators declare nothing."""
    found = Bounds()
    for member in getattr(validator, "_validators", ()):
        found = _joined(found, bounds(member))
    if hasattr(validator, "bound"):
        bound, sign = validator.bound, validator.compare_op
        return Bounds(low=bound, above=sign == ">") if ">" in sign else Bounds(high=bound, below=sign == "<")
    if hasattr(validator, "options") and not isinstance(validator.options, str):
        return Bounds(choices=tuple(validator.options))
    if hasattr(validator, "validator"):
        return bounds(validator.validator)
    return found


def _joined(one: Bounds, two: Bounds) -> Bounds:
    nothing = attrs.asdict(Bounds(), recurse=False)
    said = attrs.asdict(two, recurse=False)
    return attrs.evolve(one, **{key: value for key, value in said.items() if value is not nothing[key]})


def values(field: "attrs.Attribute[Any]", declared: Any) -> st.SearchStrategy[Any]:
    """Values of a field that are small and likely to be accepted.

    What is bounded is drawn within its bounds, small whole numbers first; what has choices is chosen; options
    within options are drawn likewise. ``attrs.NOTHING`` stands for the default: that of a factory. A number
    without declared bounds, a text and a list keep their default, for nothing tells what else they could be.

    Raises:
        TypeError: a field without default whose type tells nothing about its values.
    """
    declared = bare(declared)
    limits, default = bounds(field.validator), field.default
    if is_record(declared):
        return options(declared)
    if choices := limits.choices or choices_of(declared):
        return st.sampled_from(choices)
    if declared is bool:
        return st.booleans()
    if isinstance(default, _FACTORY):
        return st.just(attrs.NOTHING)
    if default is None:
        return st.none()
    members = tuple(bare(m) for m in get_args(declared)) if is_union(declared) else (declared,)
    numbers = _numbers(members, limits, default)
    return _default(field, members) if numbers is None else numbers


def _numbers(members: tuple[Any, ...], limits: Bounds, default: Any) -> st.SearchStrategy[Any] | None:
    """A strategy for whole or real numbers, None where the default is all that is known."""
    missing = default is attrs.NOTHING
    large = isinstance(default, int) and default > _LARGE
    if int in members and (limits.low is not None or missing or large):
        low = int(limits.low if limits.low is not None else 1) + limits.above
        high = low + _SEVERAL if limits.high is None else min(low + _SEVERAL, int(limits.high) - limits.below)
        return st.integers(low, high)
    if float in members and (limits.low is not None or missing):
        return _reals(limits, float(default) if isinstance(default, int | float) else 1.0)
    return None


def _reals(limits: Bounds, default: float) -> st.SearchStrategy[float]:
    """Numbers between the bounds; without an upper one, of the size of the default."""
    low = 0.0 if limits.low is None else float(limits.low)
    high = float(limits.high) if limits.high is not None else low + _SPREAD * max(default - low, 0.25)
    grid = st.integers(int(limits.above), _STEPS - int(limits.below))
    return grid.map(lambda step: low + (high - low) * step / _STEPS)


def _default(field: "attrs.Attribute[Any]", members: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    if field.default is not attrs.NOTHING:
        return st.just(field.default)
    if NoneType in members:
        return st.none()
    if Path in members:
        return st.just(Path("images").absolute())
    if str in members:
        return st.just(field.name)
    raise TypeError(
        f"options: no value can be derived for the field {field.name} (got {members}). "
        f"Give a default, or name a strategy for it: options(Options, {field.name}=...)."
    )


def options(cls: Callable[..., Any], /, **given: Any) -> st.SearchStrategy[Any]:
    """Instances of an ``Options`` class, derived from its types, defaults and validators.

    Args:
        cls: the attrs class.
        given: values, or strategies for values, of fields that nothing can be derived for.

    Raises:
        TypeError: an unknown field, or one that needs to be given.
    """
    if not (isinstance(cls, type) and attrs.has(cls)):
        raise TypeError(f"options: expected an attrs class (got {cls!r}). Pass the Options of a component.")
    hints = typing.get_type_hints(cls)
    fields = {field.alias: field for field in attrs.fields(cls) if field.init}
    if unknown := sorted(set(given) - set(fields)):
        raise TypeError(
            f"options: {cls.__qualname__} has no field {', '.join(unknown)} (it has {', '.join(fields)}). "
            f"Correct the name."
        )
    parts = {
        alias: _strategy(given[alias]) if alias in given else values(field, hints[field.name])
        for alias, field in fields.items()
    }
    made = st.fixed_dictionaries(parts).map(lambda chosen: _built(cls, chosen))
    return made.filter(lambda one: one is not None)


def _strategy(value: Any) -> st.SearchStrategy[Any]:
    return value if isinstance(value, st.SearchStrategy) else st.just(value)


def _built(cls: Callable[..., Any], chosen: Mapping[str, Any]) -> Any:
    """The record, or None where its validators refuse the combination."""
    try:
        return cls(**{name: value for name, value in chosen.items() if value is not attrs.NOTHING})
    except (ValueError, TypeError, DenoisplitError):
        return None
