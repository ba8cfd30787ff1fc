"""Loggers as watchers of a training, which they cannot stop."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, final

import attrs

from denoisplit.core.errors import in_one_line
from denoisplit.core.registry import installed_registry
from denoisplit.core.registry.manager import BUILTIN
from denoisplit.core.spec.records import Chosen, ResolvedSpec
from denoisplit.core.spec.yaml_text import unstructure
from denoisplit.core.training.data.batches import Pair
from denoisplit.core.training.logger import Logger
from denoisplit.core.training.watchers.preview import Preview
from denoisplit.core.training.watchers.watching import Moment, RememberingWatcher

_logger: Final = logging.getLogger("denoisplit.training")

_CSV: Final = f"{BUILTIN}/csv"
"""Logger of every run."""

PICTURE_EVERY: Final = 10
"""Number of validations per picture."""

_PICTURE: Final = "validation"
_LONGEST: Final = 300


@attrs.frozen
class NamedLogger:
    """A logger with its name in messages and resume points.

    Attributes:
        name: name of the component, with a number if several share it.
        logger: the component.
    """

    name: str
    logger: Logger


def loggers_of(spec: ResolvedSpec, folder: Path) -> tuple[NamedLogger, ...]:
    """Build the loggers of a training, the table of every run first; a second one of a name is ``NAME_2``.

    Raises:
        MissingPackageError: a logger needs a package that is not installed.
        BrokenPluginError: a logger cannot be built.
    """
    row = installed_registry().find("logger", _CSV)
    named = [one for one in spec.training.loggers if one.component.qualified != _CSV]
    found: dict[str, Logger] = {}
    for chosen in (Chosen(component=row, options=row.load().Options()), *named):
        found[chosen.name_among(found)] = chosen.build(folder=folder)
    return tuple(NamedLogger(name, logger) for name, logger in found.items())


@contextmanager
def logging_to(
    loggers: Sequence[NamedLogger], spec: ResolvedSpec, validation: Iterable[Pair]
) -> Iterator[tuple[RememberingWatcher, ...]]:
    """Context with the loggers as watchers; their logs end with it."""
    about, preview = unstructure(spec), Preview(validation, spec.channels)
    watchers = tuple(_Logged(one, about, spec.training.validate_every, preview) for one in loggers)
    try:
        yield watchers
    finally:
        for watcher in watchers:
            watcher.close()


@final
class _Logged(RememberingWatcher):
    """A logger as a watcher. If it fails, a warning is logged, and it is left out from then on.

    Args:
        named: the logger.
        about: the spec.
        every: steps between two validations.
        preview: draws pictures.
    """

    def __init__(self, named: NamedLogger, about: Mapping[str, Any], every: int, preview: Preview) -> None:
        # Resume points have always stored the rows of the table under this name.
        self.key = "metrics" if named.name == "csv" else f"logger {named.name}"
        self._name, self._logger = named.name, named.logger
        self._about, self._every, self._preview = about, every, preview
        self._fails = self._begun = self._finished = False
        self._state: dict[str, Any] = {}

    def begun(self, now: Moment) -> None:
        """Begin, or continue."""
        self._begun = True
        self._try(lambda: self._logger.begin(self._about, step=now.step))

    def validated(self, now: Moment) -> None:
        """Pass on the numbers, and from time to time a picture."""
        self._try(lambda: self._logger.values(now.step, {"learning_rate": now.learning_rate, **now.values}))
        is_pictured = now.step == now.steps or now.step // self._every % PICTURE_EVERY == 0
        if self._logger.takes_pictures and not self._fails and is_pictured:
            pixels = self._preview.at(now.step, now.vse)
            if pixels is not None:
                self._try(lambda: self._logger.picture(now.step, _PICTURE, pixels))

    def ended(self, now: Moment) -> None:
        """Note that the training was not interrupted."""
        del now
        self._finished = True

    def close(self) -> None:
        """End the log."""
        if self._begun:
            self._try(lambda: self._logger.end(finished=self._finished))

    def state_dict(self) -> dict[str, Any]:
        """State of the logger; the last known one if it fails."""

        def ask() -> None:
            self._state = self._logger.state_dict()

        self._try(ask)
        return self._state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Pass on a saved state; a logger without one, because it failed, begins anew."""
        self._state = state_dict
        if state_dict:
            self._try(lambda: self._logger.load_state_dict(state_dict))

    def _try(self, call: Callable[[], None]) -> None:
        if self._fails:
            return
        try:
            call()
        except (Exception, SystemExit) as error:
            self._fails = True
            _logger.debug("logger %s", self._name, exc_info=True)
            reason = in_one_line(error, _LONGEST)
            _logger.warning(
                "training.loggers: %s fails (%s: %s). It is left out, and the training goes on.",
                *(self._name, type(error).__name__, reason),
            )
