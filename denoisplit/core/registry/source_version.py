"""Versions of notebook components, which have none: digests of their sources."""

import hashlib
import inspect
import textwrap
from typing import Final

SOURCE: Final = "source-"
"""Prefix of versions that are digests of sources."""

UNKNOWN: Final = "0"
"""Version of a class without accessible source, and of components of early runs."""

_DIGITS: Final = 12


def source_version(cls: type) -> str:
    """A version for a class registered in a session: ``source-`` and a digest of its source.

    Bases from the same module are included; so are comments.
    """
    texts = [_source(base) for base in cls.__mro__ if base.__module__ == cls.__module__]
    if not all(texts):
        return UNKNOWN
    return SOURCE + hashlib.sha256("\n".join(texts).encode()).hexdigest()[:_DIGITS]


def is_another(stored: str, now: str) -> bool:
    """Whether two versions are known to come from different sources."""
    return stored != now and stored.startswith(SOURCE) and now.startswith(SOURCE)


def _source(cls: type) -> str:
    """The dedented source of a class; for a class typed at a prompt, that of its methods; or empty."""
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
