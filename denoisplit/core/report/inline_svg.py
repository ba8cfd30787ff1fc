"""A figure of Matplotlib as an SVG element for a page: text as text, dark lines in the colour of the page."""

import io
import re
from collections.abc import Iterator
from html import escape
from typing import Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.legend import Legend

DPI: Final = 150
"""Of images inside a figure."""

_FRAME: Final = "frame"
"""Class of the frames of legends, which have the colour of the page."""

_PIXELS: Final = 96 / 72
"""CSS pixels per point."""

_DARK: Final = re.compile(r"#(000000|222222|444444)\b")
_FONT: Final = re.compile(r"font: (?:(?P<weight>bold|[1-9]00) )?(?P<size>[0-9.]+)px [^;]*")


def tidy(axes: Axes, across: str, up: str) -> None:
    """Label the axes of a panel, and leave out the lines of its upper and right sides."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8, length=3)
    axes.set_xlabel(across, fontsize=8.5)
    axes.set_ylabel(up, fontsize=8.5)


def inline_svg(figure: Figure, name: str, alt: str) -> str:
    """Convert a figure.

    A page with a strict content security policy allows no style attributes, so they become attributes of
    their own. Colours of text and axes follow the page, in light and in dark.

    Args:
        figure: the figure, which loses its background.
        name: letters and digits that no other figure of the page has.
        alt: description for those who do not see it.
    """
    _without_background(figure)
    file = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "denoisplit"}):
        figure.savefig(file, format="svg", dpi=DPI, metadata={"Date": None, "Creator": None})
    _, _, text = file.getvalue().partition("<svg")
    head, _, body = text.partition(">")
    (box,) = re.findall(r'viewBox="([0-9. ]+)"', head)
    width, height = (float(side) for side in box.split()[2:])
    body = re.sub(r"<(metadata|style)\b.*?</\1>", "", body, flags=re.DOTALL)
    body = re.sub(r' style="([^"]*)"', lambda found: _attributes(found[1]), body)
    body = body.replace(f'id="{_FRAME}"', f'class="{_FRAME}"')
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', body))
    body = re.sub(r' id="([^"]*)"', lambda found: f' id="{name}-{found[1]}"' * (found[1] in used), body)
    body = re.sub(r'(url\(#|href="#)', rf"\g<1>{name}-", body)
    body = _DARK.sub("currentColor", body)
    return (
        f'<svg class="chart" role="img" aria-label="{escape(alt)}" viewBox="{box}" '
        f'width="{width * _PIXELS:.0f}" height="{height * _PIXELS:.0f}" fill="currentColor" '
        f'stroke-linejoin="round" stroke-linecap="butt">{body.strip()}'
    )


def _without_background(figure: Figure) -> None:
    figure.patch.set_visible(False)
    for axes in figure.axes:
        axes.patch.set_visible(False)
        for artist in axes.collections:
            if isinstance(artist, QuadMesh):  # thousands of rectangles otherwise
                artist.set_rasterized(True)
    for legend in _legends(figure):
        legend.get_frame().set_gid(_FRAME)


def _legends(figure: Figure) -> Iterator[Legend]:
    yield from figure.legends
    yield from (legend for axes in figure.axes if (legend := axes.get_legend()) is not None)


def _attributes(style: str) -> str:
    """The declarations of a style attribute as attributes."""
    found = []
    for declaration in filter(None, (part.strip() for part in style.split(";"))):
        if (font := _FONT.fullmatch(declaration)) is not None:
            found.append(f'font-size="{font["size"]}"')
            found += [f'font-weight="{font["weight"]}"'] * bool(font["weight"])
            continue
        key, _, value = declaration.partition(":")
        found.append(f'{key.strip()}="{value.strip()}"')
    return "".join(f" {one}" for one in found)
