"""Links between pages and the rest of the repository, in a site that consists of pages."""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

PAGES: Final = "docs"
ELSEWHERE: Final = "repository"
"""Folder of the site with the files outside of the folder of pages that pages name, under their own paths."""

_LINK: Final = re.compile(r"(\]\()([^)#\s]+)(#[^)\s]*)?(\))")


def in_site(target: str, root: Path) -> str | None:
    """Where the site has a file or folder of the repository; None if it is not there, or nothing to read."""
    if (root / target).is_dir():
        readme = f"{target}/README.md"
        target = readme if (root / readme).is_file() else f"{target}/index.md"
    elif not (root / target).is_file():
        return None
    if target.startswith(f"{PAGES}/"):
        return target.removeprefix(f"{PAGES}/")
    return f"{ELSEWHERE}/{target}"


def of_repository(page: str) -> str:
    """Path in the repository of a page of the site."""
    inside = page.removeprefix(f"{ELSEWHERE}/")
    return inside if inside != page else f"{PAGES}/{page}"


def with_links(markdown: str, page: str, root: Path) -> str:
    """A page whose links lead where the site has their targets."""

    def turned(found: re.Match[str]) -> str:
        target = found[2]
        if re.match(r"\w+:", target):
            return found[0]
        place = in_site(_resolved(target, page), root)
        if place is None:
            return found[0]
        return f"{found[1]}{posixpath.relpath(place, posixpath.dirname(page))}{found[3] or ''}{found[4]}"

    return _LINK.sub(turned, markdown)


def elsewhere(markdown: str, page: str, root: Path) -> Iterator[str]:
    """Files of the repository, outside of the folder of pages, to which a page leads."""
    for found in _LINK.finditer(markdown):
        place = None if re.match(r"\w+:", found[2]) else in_site(_resolved(found[2], page), root)
        if place and place.startswith(f"{ELSEWHERE}/"):
            yield place


def _resolved(target: str, page: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(of_repository(page)), target))
