"""Files that operating systems and programs leave beside images, and that are no data."""

from pathlib import PurePath
from typing import Final

_OF_SYSTEMS: Final = frozenset(("thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx"))


def is_hidden(path: PurePath, pattern: str = "") -> bool:
    """Whether a path is hidden, or in a hidden folder: ``.f9.tif``, ``._f9.tif``, ``Thumbs.db``.

    Args:
        path: path relative to the searched folder.
        pattern: pattern of the search; hidden names count as meant if a name in it begins with a dot.
    """
    meant = any(part.startswith(".") for part in PurePath(pattern).parts)
    return any(part.lower() in _OF_SYSTEMS or (part.startswith(".") and not meant) for part in path.parts)
