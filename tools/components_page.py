"""Write docs/components.md: every built-in component and its options, as registry and classes tell."""

import inspect
import re
import sys
import textwrap
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from denoisplit.core.registry import KINDS, Component, load_registry
from denoisplit.core.registry.manager import BUILTIN
from denoisplit.core.spec.types import describe

_HEAD = """\
# Components

What `denoisplit` brings along. A spec names a component with `use:`; the other keys beside it are its
options. `denoisplit plugins list` also shows the components of other packages.

This page is written by `make docs`; change the code, not the page.
"""


def page() -> str:
    """The whole page, Markdown."""
    rows = [row for row in load_registry().components() if row.package == BUILTIN]
    parts = [_HEAD]
    for kind in KINDS:
        parts.append(f"## {kind}\n")
        parts += [_section(row) for row in rows if row.kind == kind]
    return "\n".join(parts)


def _section(row: Component) -> str:
    options = row.load().Options
    source = f" Source: {row.source}." if row.source else ""
    lines = [f"### {row.kind} `{row.name}`", "", f"{row.summary}{source} Since {row.since}.", ""]
    meanings = attribute_docs(options)
    table = [_row(field, hint, meanings) for field, hint in _options(options)]
    if table:
        lines += ["| option | value | default | meaning |", "|---|---|---|---|", *table, ""]
    else:
        lines += ["No options.", ""]
    return "\n".join(lines)


def _options(options: type) -> Iterator[tuple["attrs.Attribute[Any]", Any]]:
    hints = typing.get_type_hints(options)
    for field in attrs.fields(options):
        yield field, hints[field.name]


def _row(field: "attrs.Attribute[Any]", hint: Any, meanings: Mapping[str, str]) -> str:
    value = ", ".join([describe(hint), *_bounds(field.validator)])
    default = "needed" if field.default is attrs.NOTHING else f"`{_yaml(field.default)}`"
    return f"| `{field.name}` | {value} | {default} | {meanings[field.name]} |"


def _bounds(validator: Any) -> Iterator[str]:
    """``>= 1`` and the like, from the validators of attrs that have a bound."""
    for member in getattr(validator, "_validators", ()):
        yield from _bounds(member)
    if hasattr(validator, "bound"):
        yield f"{validator.compare_op} {validator.bound}"
    elif hasattr(validator, "validator"):
        yield from _bounds(validator.validator)


def _yaml(value: Any) -> str:
    if isinstance(value, type(attrs.Factory(dict))):  # options within options, each with its own default
        return "{}"
    words = {None: "null", True: "true", False: "false", "": '""', (): "[]"}
    return words[value] if isinstance(value, bool | str | tuple | None) and value in words else str(value)


def attribute_docs(cls: type) -> dict[str, str]:
    """What the ``Attributes:`` section of a class says of every attribute, as one line of Markdown each."""
    _, _, section = inspect.cleandoc(cls.__doc__ or "").partition("Attributes:\n")
    found: dict[str, str] = {}
    for entry in re.split(r"\n(?=\S)", textwrap.dedent(section)):
        name, _, text = entry.partition(":")
        found |= {part.strip(): _markdown(text) for part in name.split(",")}
    return found


def _markdown(text: str) -> str:
    return re.sub(r"\bNone\b", "`null`", " ".join(text.replace("``", "`").split()))


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
