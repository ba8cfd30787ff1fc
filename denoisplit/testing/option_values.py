"""Values for the fields of an ``Options`` class, from their types, defaults and validators."""

import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import NoneType
from typing import Any, Final, get_args

import attrs
import pytest
from hypothesis import strategies as st

from denoisplit.core.errors import DenoisplitError
from denoisplit.core.registry.declared_types import bare, choices_of, is_record, is_sequence, is_union
from denoisplit.core.spec.rules import (
    ANYTHING,
    Bound,
    Either,
    Items,
    Length,
    OneOf,
    OrNone,
    Rule,
    every,
    parts,
    rule,
)

_STEPS: Final = 16
"""Number of steps of the grid of values, which are easy to read in a report."""

_SEVERAL: Final = 2
"""How far whole numbers go above their lower bound, so that networks stay small."""

_LARGE: Final = 8
_SPREAD: Final = 4.0
_LONGEST: Final = 3
"""Numbers of items of a list, for hierarchies with as many levels."""

_FACTORY: Final[Any] = type(attrs.Factory(list))


@attrs.frozen(kw_only=True)
class Range:
    """Range of a number, from the validators of its field.

    Attributes:
        low, high: smallest and largest value, None for no bound.
        above, below: whether the value has to stay clear of the bound.
    """

    low: float | None = None
    high: float | None = None
    above: bool = False
    below: bool = False


def range_of(rules: Sequence[Rule]) -> Range:
    """Return the range of a number that obeys all rules."""
    found = Range()
    for one in rules:
        if isinstance(one, Bound) and isinstance(one.value, int | float):
            clear = len(one.sign) == 1
            found = (
                attrs.evolve(found, low=one.value, above=clear)
                if one.sign.startswith(">")
                else attrs.evolve(found, high=one.value, below=clear)
            )
    return found


def edges(field: "attrs.Attribute[Any]", declared: Any) -> tuple[list[Any], list[Any]]:
    """Return values just within the range of a field, and just beyond it.

    Of a list, those beyond are pairs with one wrong item; those within are not known, as nothing tells how
    many items there are.
    """
    within, beyond = list[Any](), list[Any]()
    declared = bare(declared)
    for member in map(bare, get_args(declared) if is_union(declared) else (declared,)):
        said = parts(_for(member, rule(field.validator)))
        if is_sequence(member):
            beyond += _wrong_lists(member, said)
        else:
            right, wrong = _ends(member, said)
            within, beyond = within + right, beyond + wrong
    return within, beyond


def _wrong_lists(declared: Any, said: Sequence[Rule]) -> list[Any]:
    """Return pairs of which one item is just beyond its range, also within a list of lists."""
    inner = parts(every([one.each for one in said if isinstance(one, Items)]))
    member = bare(get_args(declared)[0])
    if is_sequence(member):
        return [(one,) for one in _wrong_lists(member, inner)]
    ends = zip(*_ends(member, inner), strict=True)
    return [pair for right, wrong in ends for pair in ((right, wrong), (wrong, right))]


def _ends(member: Any, said: Sequence[Rule]) -> tuple[list[float], list[float]]:
    """Return numbers just within the range of a type of numbers, and as many just beyond it."""
    within, beyond = list[float](), list[float]()
    if member in (int, float):
        limits = range_of(said)
        for end, clear, away in ((limits.low, limits.above, 1), (limits.high, limits.below, -1)):
            if end is not None:
                step = away * (1 if member is int else 1e-6 * max(1.0, abs(end)))
                within.append(member(end + step * clear))
                beyond.append(member(end - step * (not clear)))
    return within, beyond


def values(field: "attrs.Attribute[Any]", declared: Any) -> st.SearchStrategy[Any]:
    """Draw values of a field that are small and likely to be accepted; the default is among the simplest.

    Numbers are drawn within their bounds, small whole numbers first; choices are chosen from; optional values
    are sometimes None; lists have up to three items; options within options are drawn likewise.
    ``attrs.NOTHING`` stands for the default of a factory. A real number without bounds stays near its
    default. Texts, paths, and lists without validators keep their default, as nothing tells their other
    values.

    Raises:
        TypeError: a field without a default whose type tells nothing about its values.
    """
    found = _of(declared, rule(field.validator), field.default)
    if found is None:
        return _default(field, bare(declared))
    if isinstance(field.default, _FACTORY) and not is_record(bare(declared)):
        return st.just(attrs.NOTHING) | found
    return found


def _of(declared: Any, said: Rule, default: Any) -> st.SearchStrategy[Any] | None:
    """Return a strategy for a type whose values obey a rule, None where too little is known."""
    declared, rules = bare(declared), parts(said)
    if is_record(declared):
        return options(declared)
    chosen = [one.values for one in rules if isinstance(one, OneOf)]
    if choices := choices_of(declared) or (chosen[0] if chosen else ()):
        return st.sampled_from(choices)
    if is_union(declared):
        return _of_union(get_args(declared), said, default)
    if declared is bool:
        return st.booleans()
    if declared is int:
        return _whole(range_of(rules), default)
    if declared is float:
        return _reals(range_of(rules), default)
    return _lists(declared, rules, default) if is_sequence(declared) else None


def _of_union(members: Sequence[Any], said: Rule, default: Any) -> st.SearchStrategy[Any] | None:
    """Draw values of the known members of a union, those of the default's type first."""
    none = NoneType in members
    some = [
        made
        for member in sorted(members, key=lambda one: is_sequence(bare(one)) != isinstance(default, tuple))
        if member is not NoneType and (made := _of(member, _for(member, said), default)) is not None
    ]
    if not some:
        return None
    if not none:
        return st.one_of(some)
    return st.none() | st.one_of(some) if default is None else st.one_of(some) | st.none()


def _for(member: Any, said: Rule) -> Rule:
    """Return the part of a rule about a type: of alternatives, the one for lists or that for numbers."""
    if isinstance(said, OrNone):
        return _for(member, said.rule)
    if not isinstance(said, Either):
        return said
    lists = is_sequence(bare(member))
    fitting = [one for one in said.rules if lists == any(isinstance(p, Items | Length) for p in parts(one))]
    return fitting[0] if fitting else ANYTHING


def _whole(limits: Range, default: Any) -> st.SearchStrategy[int] | None:
    """Draw whole numbers: the smallest ones, or from a small default on where there is no bound."""
    known = type(default) is int
    if limits.low is None and limits.high is None and known and abs(default) <= _LARGE:
        return st.integers(default, default + _SEVERAL)
    low = int(limits.low if limits.low is not None else 1) + limits.above
    high = low + _SEVERAL if limits.high is None else min(low + _SEVERAL, int(limits.high) - limits.below)
    return st.integers(min(low, high), high)


def _reals(limits: Range, default: Any) -> st.SearchStrategy[float]:
    """Draw numbers between the bounds; without an upper bound, of the size of the default."""
    known = float(default) if isinstance(default, int | float) else None
    if limits.low is None and limits.high is None:
        centre = 1.0 if known is None else known
        reach = max(abs(centre), 1.0) / 2
        return st.just(centre) | st.integers(1, _STEPS).map(lambda n: centre + reach * (2 * n / _STEPS - 1))
    size = max(abs((1.0 if known is None else known) - (limits.low or 0.0)), 0.25)
    low = float(limits.low) if limits.low is not None else float(limits.high or 0.0) - _SPREAD * size
    high = float(limits.high) if limits.high is not None else low + _SPREAD * size
    grid = st.integers(int(limits.above), _STEPS - int(limits.below))
    return grid.map(lambda step: low + (high - low) * step / _STEPS)


def _lists(
    declared: Any, rules: Sequence[Rule], default: Any, length: int | None = None
) -> st.SearchStrategy[Any] | None:
    """Draw lists: the default, and short ones of known items; inner lists have one length."""
    members = [member for member in get_args(declared) if member is not ...]
    each = every([one.each for one in rules if isinstance(one, Items)])
    if len(set(members)) != 1 or not (parts(each) or choices_of(bare(members[0]))):
        return None
    if len(members) > 1:
        length = len(members)
    lengths = range_of([Bound(one.sign, one.value) for one in rules if isinstance(one, Length)])
    low = max(1, int(lengths.low or 0))
    high = max(low, low + _LONGEST - 1 if lengths.high is None else int(lengths.high))
    counts = st.integers(low, high) if length is None else st.just(length)

    inner = range(1, _LONGEST + 1) if is_sequence(bare(members[0])) else [1]
    items = [
        _lists(bare(members[0]), parts(each), attrs.NOTHING, sides)
        if is_sequence(bare(members[0]))
        else _of(members[0], each, attrs.NOTHING)
        for sides in inner
    ]
    known = [item for item in items if item is not None]
    if not known:
        return None
    drawn = st.tuples(counts, st.sampled_from(known)).flatmap(
        lambda two: st.lists(two[1], min_size=two[0], max_size=two[0]).map(tuple)
    )
    return st.just(default) | drawn if isinstance(default, tuple) else drawn


def _default(field: "attrs.Attribute[Any]", declared: Any) -> st.SearchStrategy[Any]:
    members = tuple(bare(m) for m in get_args(declared)) if is_union(declared) else (declared,)
    if isinstance(field.default, _FACTORY):
        return st.just(attrs.NOTHING)
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
    """Draw instances of an ``Options`` class, derived from its types, defaults and validators.

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
    """Return the record, or None where its validators refuse the combination."""
    try:
        return cls(**{name: value for name, value in chosen.items() if value is not attrs.NOTHING})
    except (ValueError, TypeError, DenoisplitError):
        return None


def assert_accepted(defaults: Callable[[], object]) -> None:
    """Check that the default options are accepted."""
    try:
        defaults()
    except (ValueError, TypeError) as error:
        pytest.fail(f"the default options are refused ({' '.join(str(error).split())})")
