"""Contents of ``denoisplit plugins show``: row, code and options of a component."""

import textwrap
from collections.abc import Iterator
from typing import Any, Final

import attrs

from denoisplit.core.errors import PluginError, UnknownComponentError, did_you_mean
from denoisplit.core.registry.component import Component
from denoisplit.core.registry.manager import canonical
from denoisplit.core.registry.registry import Registry
from denoisplit.core.spec.options import Option, code_of, options_of

WIDTH: Final = 100
"""Columns of text in a file."""


@attrs.frozen(kw_only=True)
class Shown:
    """A component, with facts from its code.

    Attributes:
        row: its row of the registry.
        file: file of its class; empty for one that cannot be loaded or was defined interactively.
        line: line of that file where the class begins.
        options: options in the order of the class.
        error: why it cannot be loaded; empty when it can.
    """

    row: Component
    file: str = ""
    line: int = 0
    options: tuple[Option, ...] = ()
    error: str = ""


def shown(row: Component) -> Shown:
    """Import the code of a component and describe it."""
    try:
        loaded = row.load()
        file, line = code_of(loaded)
        return Shown(row=row, file=str(file or ""), line=line, options=options_of(loaded.Options))
    except PluginError as error:
        return Shown(row=row, error=str(error))


def named(registry: Registry, name: str, kind: str | None) -> tuple[Component, ...]:
    """Find the components of a name, or ``package/name``: one for each kind and package that has it.

    Raises:
        UnknownComponentError: there is none.
    """
    package, _, bare = name.rpartition("/")
    rows = registry.components(kind)
    found = tuple(
        row for row in rows if row.name == bare and (not package or row.package == canonical(package))
    )
    if not found:
        known = [row.qualified if package else row.name for row in rows]
        broken = ", ".join(dict.fromkeys(plugin.package for plugin in registry.broken))
        raise UnknownComponentError(
            f"{kind or 'component'} {name}: not installed.{did_you_mean(name, known)} "
            f"See denoisplit plugins list." + (f" Broken plugins: {broken}." if broken else "")
        )
    return found


def as_plain(component: Shown) -> dict[str, Any]:
    """Return everything, for JSON."""
    row = component.row
    return {
        "qualified": row.qualified,
        **attrs.asdict(attrs.evolve(row, target=row.target_text)),
        "file": component.file,
        "line": component.line,
        "options": [attrs.asdict(option) for option in component.options],
        "error": component.error,
    }


def as_lines(component: Shown, width: int = WIDTH) -> Iterator[str]:
    """Yield everything as lines of text of at most ``width`` columns."""
    row = component.row
    status = "" if row.status == "stable" else f" [{row.status}]"
    yield f"{row.kind} {row.qualified} {row.version}{status}"
    yield from _wrapped(row.summary, "  ", width)
    for label, text in (
        ("source", row.source),
        ("since", row.since),
        ("replaced by", row.replaced_by),
        ("code", row.target_text),
        ("file", f"{component.file}:{component.line}" if component.file else ""),
        ("broken", component.error),
    ):
        if text:
            yield from _wrapped(f"{label}: {text}", "  ", width)
    if component.error:
        return
    yield "  options:" if component.options else "  no options"
    for option in component.options:
        default = "needed" if option.needed else f"default {option.default_text}"
        unit = f" [{option.unit}]" if option.unit else ""
        yield from _wrapped(f"{option.name}{unit}: {option.accepts}; {default}", "    ", width)
        yield from _wrapped(option.meaning, "      ", width)


def _wrapped(text: str, indent: str, width: int) -> list[str]:
    return textwrap.wrap(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
