"""Files that appear whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from denoisplit.core.staging import staged


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that replaces it when the block ends without an error.

    Raises:
        OSError: with ``path``: no folder, no space, no right to write.
    """
    with staged(path) as temporary:
        yield temporary


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically."""
    with staged(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    write_bytes(path, text.encode("utf-8"))
