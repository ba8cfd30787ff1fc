"""By what the class of a notebook is known: its source, for it has no version."""

import hashlib
import inspect
import textwrap
from typing import Final

SOURCE: Final = "source-"
"""What the version of a component begins with that is known by its source."""

UNKNOWN: Final = "0"
"""Version of a class whose source is nowhere to be had, and of those of early runs."""

_DIGITS: Final = 12


def source_version(cls: type) -> str:
    """A version for a class that was registered in a session: ``source-`` and a digest of its source.

    Bases that come from the same module belong to it; comments do, too.
    """
    texts = [_source(base) for base in cls.__mro__ if base.__module__ == cls.__module__]
    if not all(texts):
        return UNKNOWN
    return SOURCE + hashlib.sha256("\n".join(texts).encode()).hexdigest()[:_DIGITS]


def is_another(stored: str, now: str) -> bool:
    """Whether two versions are those of different sources, as far as one knows."""
    return stored != now and stored.startswith(SOURCE) and now.startswith(SOURCE)


def _source(cls: type) -> str:
    """The source of a class, without the margin; that of its methods where it was typed; or empty."""
    try:
        return _tidy(inspect.getsource(cls))
    except (OSError, TypeError, SyntaxError):
        parts = []
        for name, member in sorted(vars(cls).items()):
            if inspect.isfunction(member):
                try:
                    parts.append(_tidy(inspect.getsource(member)))
                except (OSError, TypeError, SyntaxError):
                    return ""
            elif not name.startswith("__"):
                parts.append(f"{name} = {member!r}" if isinstance(member, bool | int | float | str) else name)
        return "\n".join(parts)


def _tidy(text: str) -> str:
    return "\n".join(line.rstrip() for line in textwrap.dedent(text).strip().splitlines())
