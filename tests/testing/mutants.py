"""Mutants: small changes to the built-in components, and the law that catches each.

A mutant replaces one method or function while its law is tried; the source is left alone.
"""

import importlib
from collections.abc import Callable
from typing import Any

import attrs

Change = Callable[[Any], Any]
"""From what was there to what is there instead."""


@attrs.frozen
class Mutant:
    """One change.

    Attributes:
        component: ``kind/name`` of the component that has it.
        sort: ``sign``, ``scale``, ``dropped term``, or another word for what was changed.
        target: ``module:Name`` or ``module:Class.name`` of what is replaced, in ``denoisplit.plugins``.
        change: the replacement, made from the original.
        law: that catches it.
    """

    component: str
    sort: str
    target: str
    change: Change
    law: str

    def __str__(self) -> str:
        return f"{self.component}: {self.sort} in {self.target.partition(':')[2]}"

    def place(self) -> tuple[Any, str]:
        """The object that has the attribute to replace, and its name."""
        module, _, path = self.target.partition(":")
        owner: Any = importlib.import_module(f"denoisplit.plugins.{module}")
        *parents, name = path.split(".")
        for parent in parents:
            owner = getattr(owner, parent)
        return owner, name


def after(change: Callable[[Any], Any]) -> Change:
    """Change what a function returns."""
    return lambda old: lambda *args, **kwargs: change(old(*args, **kwargs))


def replaced(new: Any) -> Change:
    """Another function in its place."""
    return lambda _old: new


def read_as(change: Callable[[Any], Any]) -> Change:
    """Change the value of a property."""
    return lambda old: property(lambda self: change(old.fget(self)))


def around(new: Callable[..., Any]) -> Change:
    """A function that gets the original as its first argument."""
    return lambda old: lambda *args, **kwargs: new(old, *args, **kwargs)
