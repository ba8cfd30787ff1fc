"""Write docs/components.md: every built-in component and its options, from the registry and the classes."""

import sys
from pathlib import Path

from denoisplit.core.registry import KINDS, Component, load_registry
from denoisplit.core.registry.manager import BUILTIN
from denoisplit.core.spec.options import Option, options_of

_HEAD = """\
# Components

What `denoisplit` brings along. A spec names a component with `use:`; the other keys beside it are its
options. `denoisplit plugins list` also shows the components of other packages.

This page is written by `make docs`; change the code, not the page.
"""


def page() -> str:
    """Return the whole page, Markdown."""
    rows = [row for row in load_registry().components() if row.package == BUILTIN]
    parts = [_HEAD]
    for kind in KINDS:
        parts.append(f"## {kind}\n")
        parts += [_section(row) for row in rows if row.kind == kind]
    return "\n".join(parts)


def _section(row: Component) -> str:
    source = f" Source: {row.source}." if row.source else ""
    since = f" Since {row.since}." if row.since else ""
    lines = [f"### {row.kind} `{row.name}`", "", f"{row.summary}{source}{since}", ""]
    table = [_row(option) for option in options_of(row.load().Options)]
    if table:
        lines += ["| option | value | default | meaning |", "|---|---|---|---|", *table, ""]
    else:
        lines += ["No options.", ""]
    return "\n".join(lines)


def _row(option: Option) -> str:
    default = "needed" if option.needed else f"`{option.default_text}`"
    return f"| `{option.name}` | {option.accepts} | {default} | {option.meaning} |"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
