"""The documentation site in a real browser, opened from its folder: everything works without a network."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser import Browser, browser, installed

CHROMIUM = installed()

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
]

FORMULAS, BOX = "[...document.querySelectorAll('math')]", "one.getBoundingClientRect()"
FOUND = "document.querySelector('.md-search-result__meta').textContent"
RESULTS = "[...document.querySelectorAll('.md-search-result__link')]"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    assert CHROMIUM is not None
    with browser(CHROMIUM, tmp_path_factory.mktemp("profile")) as one:
        yield one


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("index.html", "document.querySelector('img[src*=demo]').naturalWidth > 100"),
        ("scores.html", f"{FORMULAS}.length > 20 && {FORMULAS}.every(one => {BOX}.height > 5)"),
        ("glossary.html", "document.querySelectorAll('table tr').length > 50"),
    ],
)
def test_a_page_shows_all_it_has(site: Path, page: Browser, name: str, shown: str) -> None:
    page.open(site / name)
    assert page.value("document.querySelector('h1').getBoundingClientRect().width > 100")
    assert page.value(shown)
    assert page.value("[...document.images].every(one => one.complete && one.naturalWidth > 0)")
    assert page.value("document.documentElement.scrollWidth <= innerWidth")
    assert page.requests
    assert all(url.startswith(f"{site.as_uri()}/") for url in page.requests), page.requests
    assert page.complaints == []


def test_the_search_answers(site: Path, page: Browser) -> None:
    page.open(site / "index.html")
    page.value("document.querySelector('.md-search__input').focus()")
    page.wait_until(f"{FOUND}.includes('Type to start')")
    page.call("Input.insertText", text="noise model")
    page.press("End")  # it listens to keys
    page.wait_until(f"{FOUND}.includes('matching') && {RESULTS}.length")
    found = page.value(f"{RESULTS}.map(one => one.href)")
    assert found[0].startswith((site / "method.html").as_uri())
    places = {address.partition("?")[0].partition("#")[0] for address in found}
    assert all(Path(place.removeprefix("file://")).is_file() for place in places)
    assert all(url.startswith(f"{site.as_uri()}/") for url in page.requests), page.requests
    assert page.complaints == []
