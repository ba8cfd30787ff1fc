"""Every word of a public name is in the glossary, unless it means what it means everywhere."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import denoisplit
from denoisplit.core.registry import KINDS

GLOSSARY: Final = Path(denoisplit.__file__).parents[1] / "docs" / "glossary.md"

EVERYDAY: Final = frozenset(
    re.findall(
        r"\w+",
        """
        add args begun build check checkpoint config ended estimate format import input installed load note
        read register resume save stages summary traceback train usual version with
        """,
    )
)

OF_PLUGGY: Final = ["hookimpl", "hookwrapper", "optionalhook", "specname", "tryfirst", "trylast", "wrapper"]
"""The marker of hooks, which is public here, and its arguments."""


def public_names() -> Iterator[str]:
    """What the package exports, its arguments and attributes, and the kinds of components."""
    yield from KINDS
    for name in denoisplit.__all__:
        yield name
        found = getattr(denoisplit, name)
        if inspect.isclass(found):
            yield from (word for word in dir(found) if not word.startswith("_"))
        if callable(found) and not (inspect.isclass(found) and issubclass(found, Exception)):
            yield from inspect.signature(found).parameters


def test_every_word_of_a_public_name_is_in_the_glossary() -> None:
    known = set(re.findall(r"[a-z0-9]+", GLOSSARY.read_text(encoding="utf-8").lower()))
    parts = (re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name) for name in public_names())
    used = {word.lower() for words in parts for word in words} - {*EVERYDAY, *OF_PLUGGY}
    missing = {word for word in used if not {word, word.rstrip("s"), f"{word}s"} & known}
    assert not missing, f"say in docs/glossary.md what these words mean: {', '.join(sorted(missing))}"
