"""Digests inside files, which show whether a file is intact.

A digest is part of its file, so that both appear together or not at all. It covers the whole file with 64
zeros in its own place. Files of versions that wrote none can still be opened.
"""

import hashlib
from pathlib import Path
from typing import Final

import attrs

from denoisplit.core.errors import RunError

NAME: Final = "sha256"
ZEROS: Final = "0" * 64
"""Value of ``sha256`` in a JSON text or the header of safetensors until the digest is known."""


@attrs.frozen
class _Mark:
    """The bytes that precede a digest.

    Attributes:
        before: these bytes.
        at: their position from the start of the file or, if negative, from its end.
    """

    before: bytes
    at: int

    def place(self, content: bytes) -> slice:
        """Position of the 64 digits."""
        begin = (self.at if self.at >= 0 else max(0, len(content) + self.at)) + len(self.before)
        return slice(begin, begin + len(ZEROS))

    def is_in(self, content: bytes) -> bool:
        """Whether the mark is there, with at most one damaged byte."""
        end = self.place(content).start
        found = content[end - len(self.before) : end]
        return len(found) == len(self.before) and sum(map(int.__ne__, found, self.before)) <= 1


_BEHIND: Final = b"\nsha256 "
_MARKS: Final = (
    _Mark(b'{\n  "sha256": "', 0),
    _Mark(b'{"__metadata__":{"sha256":"', 8),
    _Mark(_BEHIND, -len(_BEHIND) - len(ZEROS) - 1),
)
"""Marks of JSON texts, safetensors, and all other files, such as torch archives, which end with one."""


def sealed(content: bytes) -> bytes:
    """Add the digest to the content of a file: in its reserved place, or else at the end."""
    for mark in _MARKS:
        if mark.is_in(content):
            break
    else:
        mark, content = _MARKS[-1], b"".join((content, _BEHIND, ZEROS.encode(), b"\n"))
    place = mark.place(content)
    return b"".join((content[: place.start], _digest(content, place), content[place.stop :]))


RESTORE: Final = "Copy it again, or restore it from a backup."
"""Advice on a damaged file."""


def require_intact(path: Path, content: bytes, advice: str = RESTORE) -> bool:
    """Check that a file is as it was written.

    Args:
        path: the file.
        content: its bytes.
        advice: what to do with a damaged one.

    Returns:
        Whether the file has a digest; files without one cannot be checked.

    Raises:
        RunError: some bytes have changed.
    """
    place = next((mark.place(content) for mark in _MARKS if mark.is_in(content)), None)
    cut_off = place is None and _BEHIND in content[_MARKS[-1].at :]
    if cut_off or (place is not None and content[place] != _digest(content, place)):
        raise RunError(
            f"{path}: the file is damaged (got other bytes than were written, by their SHA-256). {advice}"
        )
    return place is not None


def file_hash(path: Path) -> str:
    """SHA-256 of all bytes of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest(content: bytes, place: slice) -> bytes:
    found = hashlib.sha256(memoryview(content)[: place.start])
    found.update(ZEROS.encode())
    found.update(memoryview(content)[place.stop :])
    return found.hexdigest().encode()
