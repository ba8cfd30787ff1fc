"""Names of channels: checks, and clean versions of names from files.

Specs are checked with this module, so it must not import NumPy.
"""

import unicodedata
from collections.abc import Sequence
from typing import Final

from denoisplit.core.errors import ImageError
from denoisplit.core.images.physical import number

MIXED: Final = "mixed"
"""Name of the mixed image among the channels of a field."""

_NOT_TEXT: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode categories: control characters, surrogates, separators of lines and paragraphs."""

_SEPARATORS: Final = frozenset("/\\")
"""Forbidden, because names of channels become names of files and paths inside files."""

_JOINERS: Final = frozenset("\u200c\u200d")
"""Format characters that some languages need for spelling."""


def _is_text(sign: str) -> bool:
    code = ord(sign)
    is_none = code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF  # Unicode's noncharacters
    return unicodedata.category(sign) not in _NOT_TEXT and not is_none


def name_fault(name: str) -> str:
    """Return the fault of a channel name (empty, or characters that files cannot hold), or an empty text."""
    if not name.strip():
        return "the name is empty"
    return "" if all(map(_is_text, name)) else "the name has characters that files cannot hold"


def new_name_fault(name: str) -> str:
    """Return the fault of a new name: as ``name_fault``, and also what no path may contain.

    Runs of early versions may have such names.
    """
    if fault := name_fault(name):
        return fault
    if any(sign in _SEPARATORS for sign in name) or name.strip() in (".", ".."):
        return "the name is a path: it has a separator"
    if any(unicodedata.category(sign) == "Cf" and sign not in _JOINERS for sign in name):
        return "the name has control characters, which are invisible"
    return ""


def same_name(name: str) -> str:
    """Return a form that is equal for names that look equal: composed characters, no outer spaces."""
    return unicodedata.normalize("NFC", name).strip()


def check_names(names: Sequence[str], where: str) -> None:
    """Check names of channels; ``where`` is the subject of the message.

    Raises:
        ImageError: a name is empty, or has characters that files cannot hold.
    """
    for name in names:
        if fault := name_fault(name) if isinstance(name, str) else "the name is not text":
            raise ImageError(f"{where}: a channel cannot be written: {fault} (got {name!r}). Give another.")


def known_name(said: object) -> str:
    """Return the usable part of a name from a file; empty if there is none."""
    if isinstance(said, bytes):
        said = said.decode("utf-8", "replace")
    if isinstance(said, int | float) and (found := number(said)) is not None:
        said = f"{found:g}"
    return "".join(filter(_is_text, said)).strip() if isinstance(said, str) else ""


def known_names(said: Sequence[object]) -> tuple[str, ...]:
    """Return the names of a file's channels, with numbers for missing ones; empty if all are missing."""
    names = [known_name(name) for name in said]
    return tuple(name or f"channel {i}" for i, name in enumerate(names)) if any(names) else ()
