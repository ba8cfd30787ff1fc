"""The law that every option of a component has an effect."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, Final

import attrs
import torch
from hypothesis import strategies as st
from torch import Tensor

from denoisplit.core.errors import DenoisplitError
from denoisplit.testing.suite import examples, not_examined

Trace = tuple[tuple[str, Tensor], ...]
"""Everything that can be observed of a component, by name."""

_POOL: Final = 60
_COMPARED: Final = 2
"""Mean number of other values of an option that are tried with each of the drawn options."""


def covering(options: st.SearchStrategy[Any], usable: Callable[[Any], bool], count: int) -> list[Any]:
    """Return at most ``count`` options that together cover as many pairs of values as possible."""
    pool, chosen = examples(options, _POOL), list[Any]()
    met: set[tuple[str, str]] = set()
    while pool and len(chosen) < count:
        best = max(pool, key=lambda one: len(_pairs(one) - met))
        pool.remove(best)
        if not _pairs(best) - met:
            break
        if usable(best):
            chosen.append(best)
            met |= _pairs(best)
    return chosen


def _pairs(options: Any) -> set[tuple[str, str]]:
    values = [f"{field.name}={getattr(options, field.name)!r}" for field in attrs.fields(type(options))]
    return {(one, two) for n, one in enumerate(values) for two in values[: n + 1]}


def assert_options_have_effects(
    drawn: Sequence[Any], trace: Callable[[Any], Trace], *, unseen: frozenset[str] = frozenset()
) -> None:
    """Check that another value of any option changes the component, at some values of the others.

    Args:
        drawn: options of the component.
        trace: function that observes a component with given options; those that it refuses with an error of
            denoisplit are left out.
        unseen: options whose effect ``trace`` cannot show.

    The law is not examined where no other value of some options is among those drawn.
    """
    fields = [field for field in attrs.fields(type(drawn[0])) if field.init and field.name not in unseen]
    known: dict[str, Trace | None] = {}

    def seen(options: Any) -> Trace | None:
        key = repr(options)
        if key not in known:
            try:
                known[key] = trace(options)
            except DenoisplitError:
                known[key] = None
        return known[key]

    def compared(pairs: Iterator[tuple[Any, Any]]) -> list[bool]:
        """Whether options differ in what is observed, pair by pair up to the first that do."""
        observed = ((seen(one), seen(two)) for one, two in pairs)
        return [_differ(*pair) for pair in islice(_until_different(observed), _COMPARED * len(drawn))]

    single = []
    for field in fields:
        if len({repr(getattr(one, field.name)) for one in drawn}) == 1:
            single.append(field.alias)
            continue
        found = compared(_changed(drawn, field))
        if not found:
            single.append(field.alias)
        assert any(found) or not found, f"the option {field.alias} has no effect"
        for item in range(max(map(len, _lists(drawn, field)), default=0)):
            found = compared(_with_another_item(drawn, field, item))
            assert any(found) or not found, f"item {item} of the option {field.alias} has no effect"
    if single:
        not_examined(
            f"no other values are taken, or known, of the options {', '.join(single)}: name strategies "
            f"for them in options()"
        )


def _changed(drawn: Sequence[Any], field: "attrs.Attribute[Any]") -> Iterator[tuple[Any, Any]]:
    """Yield options with and without the value that other drawn ones have in a field, the next ones first."""
    for apart in range(1, len(drawn)):
        for base, other in zip(drawn, (*drawn[apart:], *drawn[:apart]), strict=True):
            value = getattr(other, field.name)
            if repr(value) != repr(getattr(base, field.name)):
                yield from _with_value(base, field, value)


def _lists(drawn: Sequence[Any], field: "attrs.Attribute[Any]") -> list[tuple[Any, ...]]:
    """Return the values of a field that are lists of several items."""
    values = [getattr(one, field.name) for one in drawn]
    return [one for one in values if isinstance(one, tuple) and len(one) > 1]


def _with_another_item(
    drawn: Sequence[Any], field: "attrs.Attribute[Any]", item: int
) -> Iterator[tuple[Any, Any]]:
    """Yield options with and without another item of a list, from lists of the same length."""
    lists = _lists(drawn, field)
    for base in drawn:
        own = getattr(base, field.name)
        others = [one for one in lists if isinstance(own, tuple) and len(one) == len(own) > item]
        for value in dict.fromkeys((*own[:item], one[item], *own[item + 1 :]) for one in others):
            if value != own:
                yield from _with_value(base, field, value)


def _with_value(base: Any, field: "attrs.Attribute[Any]", value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield options with and without a value of a field; nothing where they refuse it."""
    with suppress(ValueError, TypeError, DenoisplitError):
        yield base, attrs.evolve(base, **{str(field.alias): value})


def _until_different(pairs: Iterator[tuple[Trace | None, Trace | None]]) -> Iterator[tuple[Trace, Trace]]:
    """Yield pairs of observations where the component accepts both options, up to the first that differs."""
    for one, two in pairs:
        if one is not None and two is not None:
            yield one, two
            if _differ(one, two):
                return


def _differ(one: Trace, two: Trace) -> bool:
    if [name for name, _ in one] != [name for name, _ in two]:
        return True
    return any(
        a.shape != b.shape or not torch.equal(torch.nan_to_num(a.double()), torch.nan_to_num(b.double()))
        for (_, a), (_, b) in zip(one, two, strict=True)
    )
