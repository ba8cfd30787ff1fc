"""Files that appear whole or not at all."""

from pathlib import Path

from denoisplit.core.staging import staged


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically."""
    with staged(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    write_bytes(path, text.encode("utf-8"))
