"""What docstrings, tests and pages cite is there: sections of the method, decisions, papers."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from denoisplit.core.registry.bibliography import bibliography, named_source
from denoisplit.core.registry.registry import load_registry
from tests.cited import PACKAGE, cited_sources

ROOT = PACKAGE.parent
METHOD = ROOT / "docs/method.md"
NUMBER = r"\d+(?:\.\d+)?"
SECTIONS = rf"sections? ({NUMBER}(?:(?:, | and | to ){NUMBER})*)"
FOLDERS = ("denoisplit", "tests", "docs", "benchmarks", "tools")
KNOWN = bibliography(load_registry().find("encoder", "ladder"))


def headings() -> list[str]:
    """Numbers of the sections of the method, in their order."""
    return re.findall(rf"^##+ ({NUMBER}) ", METHOD.read_text(encoding="utf-8"), re.MULTILINE)


def cited_sections(path: Path) -> Iterator[str]:
    """Numbers of the sections of the method that a file cites; the page of the method cites its own."""
    text = re.sub(r"\s+(# )?", " ", path.read_text(encoding="utf-8"))
    before = "" if path == METHOD else "[Mm]ethod,? "
    for found in re.findall(before + SECTIONS, text):
        yield from re.findall(NUMBER, found)


def families(entry: str) -> list[str]:
    """Family names of the authors of a BibTeX entry, letters of ASCII only; none of an organisation."""
    listed = re.search(r"author = \{(.+)\},\n", entry)
    if listed is None or listed[1].startswith("{"):
        return []
    names = listed[1].split(" and ")
    assert all(", " in name for name in names if name != "others"), entry
    return [re.sub(r"\{\\.*?\}+", "", name.split(",")[0]) for name in names]


def test_sections_of_the_method_are_numbered_without_a_gap() -> None:
    seen = {"0"}
    for number in headings():
        chapter, _, part = number.partition(".")
        before = f"{chapter}.{int(part) - 1}" if part and int(part) > 1 else chapter
        assert (before if part else str(int(chapter) - 1)) in seen, number
        assert number not in seen, number
        seen.add(number)


def test_every_section_that_is_cited_is_there() -> None:
    files = [
        path for folder in FOLDERS for kind in ("py", "md") for path in (ROOT / folder).rglob(f"*.{kind}")
    ]
    known = set(headings())
    found = {path.relative_to(ROOT).as_posix(): set(cited_sections(path)) for path in files}
    assert {path: missing for path, cited in found.items() if (missing := cited - known)} == {}
    assert len([path for path, cited in found.items() if cited]) > 50


def test_every_source_of_a_docstring_is_a_section_a_decision_or_in_the_bibliography() -> None:
    decisions = {path.name[:4] for path in (ROOT / "docs/decisions").glob("*.md")}
    for place, source in cited_sources():
        decision = re.fullmatch(r"decision (\d+)", source)
        if decision:
            assert decision[1].zfill(4) in decisions, place
        elif not re.match(rf"method {SECTIONS}", source):
            assert named_source(source, KNOWN), f"{place}: not in bibliography.yaml: {source}"


@pytest.mark.parametrize("source", KNOWN)
def test_a_source_names_the_authors_and_the_year_of_its_entry(source: str) -> None:
    year = re.search(r"\b(?:19|20)\d\d\b", source)
    assert year is None or f"year = {{{year[0]}}}" in KNOWN[source]
    *others, last = families(KNOWN[source]) or [""]
    named = f"{', '.join(others)} & {last}" if others else last
    several = f"{others[0]} et al." if len(others) > 1 or last == "others" else named
    plain = re.sub(r"[^\x00-\x7f]", "", source)
    assert plain.startswith((f"{named}, ", f"{several}, ") if named else "")
