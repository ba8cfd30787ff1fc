"""Tables saved by spreadsheets: with commas, semicolons or tabs, in any of their encodings."""

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from denoisplit.core.errors import ImageError
from denoisplit.core.special_files import special_file

_SEPARATORS: Final = ",;\t|"
_MOST_BYTES: Final = 2**26
_HEAD: Final = 10_000
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def lines(path: Path, needed: Sequence[str], known: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield number and cells of every line after the first, which names the columns in any case.

    Raises:
        ImageError: there is no table, it lacks a needed column, or it is not text.
    """
    text = _text(path)
    separator, columns, skipped = _head(text, needed)
    if missing := [name for name in needed if name not in columns]:
        raise ImageError(
            f"{path}: the first line lacks {', '.join(missing)} (got {_shown(columns)}). "
            f"Separate the columns {', '.join(known)} by commas."
        )
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        for number, cells in enumerate(reader, start=1):
            if number > skipped + 1:
                yield number, dict(zip(columns, map(str.strip, cells), strict=False))
    except csv.Error as error:
        raise ImageError(f"{path}, line {reader.line_num}: not a line of a table ({error}).") from error


def _head(text: str, needed: Sequence[str]) -> tuple[str, list[str], int]:
    """Return the separator, the names of the columns in lower case, and the number of lines before them."""
    first = text[:_HEAD].splitlines()[:2]
    skipped = int(bool(first) and first[0].lower().startswith("sep="))  # Excel's line for the separator
    line = first[skipped] if len(first) > skipped else ""
    found = [[cell.strip() for cell in _cells(line, separator)] for separator in _SEPARATORS]
    lower = [[name.lower() for name in names] for names in found]
    fitting = [sum(name in names for name in needed) for names in lower]
    best = fitting.index(max(fitting))
    return _SEPARATORS[best], lower[best], skipped


def _shown(columns: Sequence[str]) -> str:
    """Return the names for a message, with unprintable letters replaced."""
    return "".join(letter if letter.isprintable() else "?" for letter in ", ".join(columns))[:200]


def _cells(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=separator), [])
    except csv.Error:
        return []


def _text(path: Path) -> str:
    """Read the text of a table: UTF-8 or UTF-16, else the encoding of Windows in Western Europe."""
    if problem := special_file(path):
        raise ImageError(problem)
    if not path.is_file():
        raise ImageError(f"{path}: there is no such table. Correct path or table.")
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ImageError(f"{path}: cannot be read ({error.strerror}). Correct path or table.") from error
    if len(raw) > _MOST_BYTES:
        raise ImageError(
            f"{path}: too large for a table (got more than {_MOST_BYTES} bytes). Check the path."
        )
    encoding = next((name for mark, name in _MARKS if raw.startswith(mark)), "")
    if not encoding and b"\0" in raw[:4]:
        encoding = "utf-16-be" if raw.startswith(b"\0") else "utf-16-le"
    try:
        return raw.decode(encoding or "utf-8")
    except UnicodeDecodeError as error:
        if encoding or b"\0" in raw:
            raise ImageError(f"{path}: not text ({error.reason}). Save the table as CSV.") from error
        return raw.decode("cp1252", "replace")
