"""Measurements on this machine, kept in files of a cache that may be deleted at any time."""

import hashlib
import json
import logging
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from denoisplit.core.staging import staged

_LOG: Final = logging.getLogger("denoisplit.precision")

_SECONDS: Final = "seconds"


def folder() -> Path:
    """Folder of the measurements: in ``$XDG_CACHE_HOME``, or else in ``~/.cache``.

    Raises:
        RuntimeError: there is no home folder.
    """
    said = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (said if said.is_absolute() else Path.home() / ".cache") / "denoisplit" / "precision"


def recall(facts: Mapping[str, Any]) -> dict[str, float] | None:
    """Positive numbers by name that were measured under these conditions; None without a readable record."""
    try:
        found = json.loads(_file(facts).read_text(encoding="utf-8"))
        seconds = {str(name): float(value) for name, value in found.pop(_SECONDS).items()}
        intact = found == dict(facts) and all(0 < one < math.inf for one in seconds.values())
    except (OSError, RuntimeError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return seconds if intact else None


def keep(facts: Mapping[str, Any], seconds: Mapping[str, float]) -> None:
    """Keep a measurement; if that fails, it is repeated the next time."""
    text = json.dumps({**facts, _SECONDS: dict(seconds)}, indent=2)
    try:
        with staged(_file(facts)) as temporary:
            temporary.write_text(f"{text}\n", encoding="utf-8")
    except (OSError, RuntimeError) as error:
        _LOG.debug("the measurement cannot be kept: %s", error)


def _file(facts: Mapping[str, Any]) -> Path:
    said = json.dumps(dict(facts), sort_keys=True)
    return folder() / f"{hashlib.sha256(said.encode()).hexdigest()[:16]}.json"
