"""Formulas in TeX as MathML, which browsers draw by themselves, without a script or a font from elsewhere."""

import html
import re
from typing import Final

from latex2mathml.converter import convert

_FORMULA: Final = re.compile(
    r'<(?P<tag>span|div) class="arithmatex">(?P<open>\\[(\[])(?P<tex>.*?)\\[)\]]</(?P=tag)>', re.DOTALL
)
_FUNCTION: Final = re.compile(r"<m([io])>([a-z]{2,})</m\1>")


def with_formulas(page: str) -> str:
    """A page of HTML with every formula that its Markdown marked by dollar signs."""
    return _FORMULA.sub(_drawn, page)


def _drawn(found: re.Match[str]) -> str:
    block = found["open"] == r"\["
    drawn = convert(html.unescape(found["tex"]).strip(), display="block" if block else "inline")
    # Names of functions, such as ln, stand off what is beside them.
    drawn = _FUNCTION.sub(r'<mo lspace="0.17em" rspace="0.17em">\2</mo>', drawn)
    return f'<div class="formula">{drawn}</div>' if block else drawn
