"""Files that systems and programs leave beside images, and that nobody means."""

from pathlib import PurePath
from typing import Final

_OF_SYSTEMS: Final = frozenset(("thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx"))


def is_hidden(path: PurePath, pattern: str = "") -> bool:
    """Whether a path is hidden, or in a hidden folder: ``.f9.tif``, ``._f9.tif``, ``Thumbs.db``.

    Args:
        path: relative to the folder that is looked at.
        pattern: that it fits; where it begins a name with a point, such names are meant.
    """
    meant = any(part.startswith(".") for part in PurePath(pattern).parts)
    return any(part.lower() in _OF_SYSTEMS or (part.startswith(".") and not meant) for part in path.parts)
