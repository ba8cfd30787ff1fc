"""The documentation site: complete, built without a warning, and read without a network."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

import denoisplit
from tools.site.hooks import GENERATED

ROOT = Path(denoisplit.__file__).parents[1]
DOCS = ROOT / "docs"


def entries(nav: Any) -> Iterator[str]:
    """Pages of a navigation, in their order."""
    if isinstance(nav, str):
        yield nav
    else:
        for part in nav.values() if isinstance(nav, dict) else nav:
            yield from entries(part)


def listed() -> list[str]:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    return list(entries(yaml.safe_load(text[text.index("\nnav:") :])["nav"]))


def test_every_page_is_in_the_navigation_once_and_every_entry_is_there() -> None:
    pages = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    pages = {page for page in pages if not page.startswith("decisions/")} | GENERATED.keys()
    assert Counter(listed()) == Counter(pages), "put the page into nav of mkdocs.yml"


def pages(site: Path) -> dict[str, str]:
    return {path.relative_to(site).as_posix(): path.read_text("utf-8") for path in site.rglob("*.html")}


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    loading = re.compile(r'<(?:script|img|iframe|source|video)\b[^>]*\bsrc="?([^"\s>]+)|<link\b([^>]*)>')
    for name, page in pages(site).items():
        for source, link in loading.findall(page):
            assert not re.match(r"(?:https?:)?//", source), name
            assert "http" not in link or re.search(r'rel="?(?:canonical|icon|prev|next)', link), name
    for style in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(?:https?:)?//", style.read_text("utf-8")), style.name


def test_formulas_are_drawn_and_dollars_are_not_seen(site: Path) -> None:
    for name, page in pages(site).items():
        assert "arithmatex" not in page, name
    assert (site / "scores.html").read_text("utf-8").count("<math ") > 20


def test_every_page_says_which_version_it_describes(site: Path) -> None:
    for name, page in pages(site).items():
        assert f"denoisplit {denoisplit.__version__}, BSD 3-Clause" in page, name


def test_links_to_the_repository_lead_to_pages_of_the_site(site: Path) -> None:
    for name, page in pages(site).items():
        for target in re.findall(r'href="?(?!https?:|mailto:|#)([^"#\s>]+)', page):
            if name != "404.html":
                assert ((site / name).parent / target).exists(), (name, target)


def test_search_finds_pages_commands_and_methods_without_a_server(site: Path) -> None:
    text = (site / "search/search_index.js").read_text("utf-8")
    found = json.loads(text.removeprefix("var __index = "))["docs"]
    places = {one["location"] for one in found}
    assert {"commands.html#predict", "python.html#runpredict", "faq.html"} <= places
    weights = {one["location"].partition("#")[0]: one.get("boost", 1) for one in found}
    assert max(weight for place, weight in weights.items() if place.startswith("decisions/")) < 0.01
    assert weights["faq.html"] == 1
    assert "assets/iframe-worker.js" in (site / "index.html").read_text("utf-8")
