"""What a page of a report is made of. Everything is a frozen record; the templates turn it into HTML."""

from typing import ClassVar, Literal

import attrs

Tone = Literal["plain", "good", "look", "quiet"]
"""Tone of a text: as usual, all is well, look at this, or small print."""


@attrs.frozen
class Element:
    """A part of a section.

    Attributes:
        kind: name of the macro that renders it.
    """

    kind: ClassVar[str]


@attrs.frozen
class Text(Element):
    """A paragraph."""

    kind: ClassVar[str] = "text"
    words: str
    tone: Tone = "plain"


@attrs.frozen
class Facts(Element):
    """Pairs of a name and what is known about it."""

    kind: ClassVar[str] = "facts"
    rows: tuple[tuple[str, str], ...]


@attrs.frozen
class Glance(Element):
    """Questions with their answers and a tone each, for the top of a page."""

    kind: ClassVar[str] = "glance"
    rows: tuple[tuple[str, str, Tone], ...]


@attrs.frozen(kw_only=True)
class Grid(Element):
    """A table: the first column holds the names of the rows.

    Attributes:
        caption: what is in it.
        columns: headings, that of the names included.
        rows: cells, one per column.
    """

    kind: ClassVar[str] = "grid"
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@attrs.frozen(kw_only=True)
class Chart(Element):
    """A diagram.

    Attributes:
        svg: an ``svg`` element that has its own description, see ``inline_svg``.
        caption: how to read it.
        label: short name, for the region that scrolls on narrow screens.
    """

    kind: ClassVar[str] = "chart"
    svg: str = attrs.field(repr=False)
    caption: str
    label: str


@attrs.frozen(kw_only=True)
class Picture:
    """An image.

    Attributes:
        source: a ``data:`` URI.
        alt: description for those who do not see it.
        width, height: pixels of the image.
        note: small print below, such as the counts of black and white.
    """

    source: str = attrs.field(repr=False)
    alt: str
    width: int
    height: int
    note: str = ""


@attrs.frozen(kw_only=True)
class Gallery(Element):
    """Rows of pictures below headings; a cell of several pictures shows one of them at a time.

    Attributes:
        name: letters and digits that no other gallery of the page has.
        title: what is shown.
        columns: headings.
        rows: name and cells of every row; a cell is one picture, or several for the slider.
        caption: how to read it.
        slider: name of what the slider chooses; empty for a gallery without one.
    """

    kind: ClassVar[str] = "gallery"
    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[tuple[Picture, ...], ...]], ...]
    caption: str = ""
    slider: str = ""

    @property
    def steps(self) -> int:
        """Number of pictures of the largest cell."""
        return max(len(cell) for _, cells in self.rows for cell in cells)


@attrs.frozen
class Source(Element):
    """Text of a file or of citations, folded until somebody opens it."""

    kind: ClassVar[str] = "source"
    title: str
    text: str = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Section:
    """A section of a page.

    Attributes:
        name: letters and digits, the target of links.
        title: heading.
        meaning: what the numbers and pictures of the section tell.
        elements: its content, in order.
    """

    name: str
    title: str
    meaning: str
    elements: tuple[Element, ...]


@attrs.frozen(kw_only=True)
class Page:
    """A report.

    Attributes:
        title: heading.
        subtitle: a line below it.
        glance: the short answers at the top.
        sections: what follows.
        foot: last line.
    """

    title: str
    subtitle: str
    glance: Glance
    sections: tuple[Section, ...]
    foot: str
