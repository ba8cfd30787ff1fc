"""Small pieces of HTML, with which results show themselves in a notebook."""

from collections.abc import Iterable, Sequence
from html import escape


def heading(words: str) -> str:
    """A line in bold."""
    return f"<p><strong>{escape(words)}</strong></p>"


def paragraph(words: str) -> str:
    """A paragraph."""
    return f"<p>{escape(words)}</p>"


def facts(rows: Iterable[tuple[str, str]]) -> str:
    """A table of names and what is known about them."""
    cells = (
        f'<tr><th scope="row" style="text-align:left">{escape(name)}</th>'
        f'<td style="text-align:left">{escape(value)}</td></tr>'
        for name, value in rows
    )
    return f"<table><tbody>{''.join(cells)}</tbody></table>"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with headings; the first cell of a row is its name."""
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    body = "".join(f"<tr>{''.join(_cells(row))}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cells(row: Sequence[str]) -> Iterable[str]:
    name, *rest = row
    yield f'<th scope="row" style="text-align:left">{escape(name)}</th>'
    yield from (f"<td>{escape(cell)}</td>" for cell in rest)
