"""Formulas in TeX as MathML, which browsers draw by themselves, without a script or a font from elsewhere."""

import html
import re
from typing import Final

from latex2mathml.converter import convert

_FORMULA: Final = re.compile(
    r'<(?P<tag>span|div) class="arithmatex">(?P<open>\\[(\[])(?P<tex>.*?)\\[)\]]</(?P=tag)>', re.DOTALL
)


def with_formulas(page: str) -> str:
    """A page of HTML with every formula that its Markdown marked by dollar signs."""
    return _FORMULA.sub(_drawn, page)


def _drawn(found: re.Match[str]) -> str:
    block = found["open"] == r"\["
    drawn = convert(html.unescape(found["tex"]).strip(), display="block" if block else "inline")
    return f'<div class="formula">{drawn}</div>' if block else drawn
