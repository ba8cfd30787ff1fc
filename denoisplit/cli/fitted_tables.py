"""Tables that fit the terminal: without rules where these do not fit, as a list where columns do not."""

from collections.abc import Iterator
from itertools import compress
from typing import Final

import rich.box
from rich.console import Console, Group, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

_ROOM: Final = 1000
"""Columns."""


def fitted(table: Table, console: Console) -> RenderableType:
    """Make a table readable on the console, where rich would drop letters and then columns."""
    if _fits(table, console):
        return table
    table.box, table.pad_edge, table.collapse_padding = rich.box.SIMPLE_HEAD, False, True
    return table if _fits(table, console) else Group(*_listed(table))


def _fits(table: Table, console: Console) -> bool:
    """Whether there is room for the longest words, and for whole cells that must not be wrapped."""
    # Measured with room to spare, as the minimum width never exceeds the available width.
    options = console.options.update_width(_ROOM)
    for column in table.columns:
        if column.no_wrap:
            cells = (column.header, *column.cells)
            column.min_width = max(Measurement.get(console, options, cell).maximum for cell in cells)
    return Measurement.get(console, options, table).minimum <= console.width


def _listed(table: Table) -> Iterator[Text]:
    """Yield title, a paragraph per row, and caption; left-aligned cells are the heading of a row."""
    yield Text(_plain(table.title), style="bold")
    names = [_plain(column.header) for column in table.columns]
    about = [column.justify == "left" for column in table.columns]
    last = [""] * len(names)
    for cells in zip(*(tuple(column.cells) for column in table.columns), strict=True):
        row = [_plain(cell) for cell in cells]
        last = [new or old for new, old in zip(row, last, strict=True)]
        yield Text(f"\n{', '.join(compress(last, about))}", style="bold")
        yield from (
            Text(f"  {name}: {cell}")
            for name, cell, words in zip(names, row, about, strict=True)
            if not words
        )
    yield Text(f"\n{_plain(table.caption)}\n", style="italic")


def _plain(given: RenderableType | None) -> str:
    """Return the text of a heading or a cell in one line."""
    text = given.plain if isinstance(given, Text) else str(given or "")
    return " ".join(text.split())
