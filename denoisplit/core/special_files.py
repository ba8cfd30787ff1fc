"""Special files among images: reading a named pipe never returns, and a device has no end."""

import stat
from pathlib import Path
from typing import Final

_KINDS: Final = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def special_file(path: Path) -> str:
    """Why an existing path cannot be read as a file or folder; empty if it can."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):  # a name that no file can have is not a pipe
        return ""
    found = next((name for is_kind, name in _KINDS if is_kind(mode)), "")
    return f"{path}: not a file (got {found}). Write its content into a file and give that." if found else ""
