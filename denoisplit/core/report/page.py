"""A page as one HTML file that needs nothing else and asks for nothing else."""

import base64
import hashlib
from typing import Final

import jinja2

from denoisplit.core.report.elements import Page
from denoisplit.core.version import VERSION

MARK: Final = '<meta name="generator" content="denoisplit report'
"""Beginning of the line that tells a report from other pages."""

ENDING: Final = ".html"
_STYLE: Final = "style.css"
_SCRIPT: Final = "script.js"


def rendered(page: Page) -> str:
    """Render a page.

    Its content security policy forbids every request and every style and script but its own two, which it
    names by their SHA-256.
    """
    templates = jinja2.PackageLoader("denoisplit.core.report", "templates")
    environment = jinja2.Environment(
        loader=templates,
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = (templates.get_source(environment, name)[0] for name in (_STYLE, _SCRIPT))
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        f"base-uri 'none'; form-action 'none'"
    )
    return environment.get_template("page.html.jinja").render(
        page=page, mark=MARK, version=VERSION, policy=policy, style=style, script=script
    )


def is_report(beginning: bytes) -> bool:
    """Whether a file that begins like this is a report of denoisplit."""
    return MARK.encode() in beginning


def _digest(text: str) -> str:
    """The hash of an element's text in a content security policy."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
