"""Watchers of a training from plugins, whose failures do not end it."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from denoisplit.core.errors import in_one_line
from denoisplit.core.registry import installed_registry
from denoisplit.core.spec.records import ResolvedSpec
from denoisplit.core.training.watchers.watching import Moment, RememberingWatcher, Watcher

_LOG = logging.getLogger("denoisplit.training")


def watchers_of_plugins(spec: ResolvedSpec, out: Path) -> tuple[Watcher, ...]:
    """Return the watchers of the hook ``denoisplit_watchers``; log a warning for anything else.

    A watcher that fails is left out from then on, with a warning.
    """
    found: list[Watcher] = []
    for package, answer in installed_registry().plugins.call("denoisplit_watchers", spec=spec, out=out):
        answers = answer if isinstance(answer, Sequence) else (answer,)
        found += (_guarded(one, package) for one in answers if isinstance(one, Watcher))
        for other in (one for one in answers if not isinstance(one, Watcher)):
            _LOG.warning("package %s: gives no denoisplit.Watcher (got %r). It is left out.", package, other)
    return tuple(found)


def _guarded(watcher: Watcher, package: str) -> Watcher:
    if isinstance(watcher, RememberingWatcher):
        return _GuardedWithState(watcher, package)
    return _Guarded(watcher, package)


class _Guarded(Watcher):
    """A watcher of a package until it fails."""

    def __init__(self, watcher: Watcher, package: str) -> None:
        self._watcher, self._package = watcher, package
        self._fails = False

    def begun(self, now: Moment) -> None:
        self._try(lambda: self._watcher.begun(now))

    def stepped(self, now: Moment, loss: Tensor) -> None:
        self._try(lambda: self._watcher.stepped(now, loss))

    def validated(self, now: Moment) -> None:
        self._try(lambda: self._watcher.validated(now))

    def ended(self, now: Moment) -> None:
        self._try(lambda: self._watcher.ended(now))

    def _try(self, do: Callable[[], object]) -> None:
        if self._fails:
            return
        try:
            do()
        except (Exception, SystemExit) as error:  # noqa: BLE001 (a plugin may raise anything)
            self._fails = True
            _LOG.debug("traceback of the watcher", exc_info=True)
            _LOG.warning(
                "package %s: its watcher %s fails (%s: %s). It is left out, and the training goes on.",
                self._package,
                type(self._watcher).__name__,
                type(error).__name__,
                in_one_line(error),
            )


class _GuardedWithState(_Guarded, RememberingWatcher):
    """The same, with a state; the last known one once it has failed."""

    def __init__(self, watcher: RememberingWatcher, package: str) -> None:
        super().__init__(watcher, package)
        self._of_state = watcher
        self.key = watcher.key
        self._state: dict[str, Any] = {}

    def state_dict(self) -> dict[str, Any]:
        def take() -> None:
            self._state = self._of_state.state_dict()

        self._try(take)
        return self._state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._state = state_dict
        self._try(lambda: self._of_state.load_state_dict(state_dict))
