"""Watchers of a training from plugins."""

import logging
from collections.abc import Sequence
from pathlib import Path

from denoisplit.core.registry import installed_registry
from denoisplit.core.spec.records import ResolvedSpec
from denoisplit.core.training.watchers.watching import Watcher

_LOG = logging.getLogger("denoisplit.training")


def watchers_of_plugins(spec: ResolvedSpec, out: Path) -> tuple[Watcher, ...]:
    """Return the watchers of the hook ``denoisplit_watchers``; log a warning for anything else."""
    found: list[Watcher] = []
    for package, answer in installed_registry().plugins.call("denoisplit_watchers", spec=spec, out=out):
        answers = answer if isinstance(answer, Sequence) else (answer,)
        found += (one for one in answers if isinstance(one, Watcher))
        for other in (one for one in answers if not isinstance(one, Watcher)):
            _LOG.warning("package %s: gives no denoisplit.Watcher (got %r). It is left out.", package, other)
    return tuple(found)
