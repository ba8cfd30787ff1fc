"""Docstrings in Google style, as Markdown."""

import inspect
import re
import textwrap
from collections.abc import Iterator
from typing import Final

TITLES: Final = {
    "Args": "Arguments",
    "Attributes": "Attributes",
    "Example": "Example",
    "Raises": "Errors",
    "Returns": "Returns",
    "Yields": "Yields",
}
_SECTION: Final = re.compile(rf"^({'|'.join(TITLES)}):{{1,2}}$")
_ITEM: Final = re.compile(r"^(\*{0,2}\w[\w.]*(?:, \*{0,2}\w[\w.]*)*)(?: \([^)]*\))?: (.*)$")


def as_markdown(docstring: str) -> str:
    """A whole docstring; sections become bold words with lists, ``.. math::`` becomes a formula."""
    parts = []
    for title, body in _sections(inspect.cleandoc(docstring).splitlines()):
        text = textwrap.dedent("\n".join(body)).strip("\n")
        if title is None:
            parts.append(_paragraphs(text))
        elif title == "Example":
            parts.append(f"**Example**\n\n```python\n{text}\n```")
        elif title in ("Returns", "Yields"):
            parts.append(f"**{TITLES[title]}** {_inline(' '.join(text.split()))}")
        else:
            parts.append(f"**{TITLES[title]}**\n\n{_definitions(text)}")
    return "\n\n".join(part for part in parts if part.strip())


def _sections(lines: list[str]) -> Iterator[tuple[str | None, list[str]]]:
    title: str | None = None
    body: list[str] = []
    for line in lines:
        found = _SECTION.match(line)
        if found or (title and line and not line.startswith(" ")):  # a section ends where the indent does
            yield title, body
            title, body = (found[1], []) if found else (None, [line])
        else:
            body.append(line)
    yield title, body


def _definitions(text: str) -> str:
    """Lines ``name: meaning`` as a list of definitions; what is no such line continues the one before."""
    found: list[list[str]] = []
    for line in text.splitlines():
        item = _ITEM.match(line)
        if item:
            found.append([item[1], item[2]])
        elif found:
            found[-1].append(line.strip())
    return "\n\n".join(f"`{name}`\n:   {_inline(' '.join(meaning))}" for name, *meaning in found)


def _paragraphs(text: str) -> str:
    text = re.sub(
        r"^\.\. math:: *\n?((?:.*\n?)(?:^ +.*\n?)*)",
        lambda found: f"$$\n{textwrap.dedent(found[1]).strip()}\n$$\n",
        text,
        flags=re.MULTILINE,
    )
    return _inline(text)


def _inline(text: str) -> str:
    """Double backticks become single ones, and roles such as ``:meth:`x``` plain code."""
    return re.sub(r":\w+:`([^`]+)`", r"`\1`", text.replace("``", "`"))
