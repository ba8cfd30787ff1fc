"""A report, taken apart."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

import attrs

_VOID: Final = {"img", "meta", "link", "input", "br", "hr"}


@attrs.define
class Report(HTMLParser):
    """What tests look at in a page."""

    tags: list[tuple[str, dict[str, str]]] = attrs.field(factory=list)
    open: list[str] = attrs.field(factory=list)
    rows: list[list[str]] = attrs.field(factory=list)
    texts: dict[str, str] = attrs.field(factory=dict)
    section: str = ""

    def __attrs_pre_init__(self) -> None:
        super().__init__()

    @classmethod
    def of(cls, path: Path) -> "Report":
        """Read a page; its elements are closed in the order in which they were opened."""
        found = cls()
        found.feed(path.read_text(encoding="utf-8"))
        found.close()
        assert found.open == []
        return found

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        self.tags.append((tag, given))
        if tag == "section":
            self.section = given["id"]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attributes}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        tag = self.open[-1] if self.open else ""
        if tag in ("style", "script"):
            self.texts[tag] = data
            return
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data.strip()
        self.texts[self.section] = f"{self.texts.get(self.section, '')} {' '.join(data.split())}"

    def all(self, tag: str) -> list[dict[str, str]]:
        """The attributes of all elements of a sort."""
        return [given for name, given in self.tags if name == tag]

    def row(self, name: str) -> list[str]:
        """The cells of the table row with this heading."""
        (found,) = [row[1:] for row in self.rows if row[0] == name]
        return found

    @property
    def addresses(self) -> set[str]:
        """What the page refers to, without the pictures inside it and places in the page."""
        given = [a.get(name, "") for _, a in self.tags for name in ("src", "href", "xlink:href", "srcset")]
        in_style = re.findall(r"url\(([^)]*)\)", self.texts["style"])
        return {one for one in (*given, *in_style) if one and not one.startswith(("data:", "#"))}
