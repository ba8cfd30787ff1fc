"""Work in the background of napari that tells how far it is, and can be stopped."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast, final

import attrs
from napari.qt.threading import create_worker
from qtpy.QtCore import QObject, QTimer

if TYPE_CHECKING:
    from denoisplit.core.prediction.progress import Progress

R = TypeVar("R")
Work = Callable[["Progress"], R]

_EVERY: Final = 100
"""Milliseconds between two looks at the progress."""


class StoppedError(Exception):
    """The user does not want to wait for the rest."""


@attrs.frozen(kw_only=True)
class Hearer(Generic[R]):
    """Whom a job tells, in the thread of the window.

    Attributes:
        progress: called with (done, total) while it works.
        made: called with the result.
        failed: called with the message of a deliberate error.
        ended: called in the end, whatever happened.
    """

    progress: Callable[[int, int], None]
    made: Callable[[R], None]
    failed: Callable[[str], None]
    ended: Callable[[], None]


@final
class Job(Generic[R]):
    """A piece of work in a thread of its own.

    Errors other than those of denoisplit are left to napari, which shows them with their traceback.

    Args:
        work: the work; it calls its argument with (done, total).
        hearer: whom it tells.
        owner: the widget that it works for; when that is closed, the work stops and nobody is told.
    """

    def __init__(self, work: Work[R], hearer: Hearer[R], owner: QObject) -> None:
        self._work, self._hearer = work, hearer
        self._done, self._total, self._told = 0, 0, (0, 0)
        self._result: list[R] = []
        self._fault = ""
        run: Any = self._run  # its annotation leaves methods out
        self._worker = cast("Any", create_worker(run, _start_thread=False))
        self._worker.finished.connect(self._end)
        # The window looks at the numbers now and then: tiles may be faster than it can draw.
        self._timer = QTimer(owner)
        self._timer.setInterval(_EVERY)
        self._timer.timeout.connect(self._look)
        self._abandoned = False
        owner.destroyed.connect(self._abandon)

    def start(self) -> None:
        """Begin."""
        self._timer.start()
        self._worker.start()

    def stop(self) -> None:
        """Stop before the next sample of a tile; napari does the same when its window closes."""
        self._worker.quit()

    def _run(self) -> None:
        from denoisplit import DenoisplitError

        try:
            self._result.append(self._work(self._tell))
        except StoppedError:
            return
        except DenoisplitError as error:
            self._fault = str(error)

    def _tell(self, done: int, total: int) -> None:
        self._done, self._total = done, total
        if self._worker.abort_requested:
            raise StoppedError

    def _look(self) -> None:
        now = (self._done, self._total)
        if now != self._told:
            self._told = now
            self._hearer.progress(*now)

    def _abandon(self) -> None:
        self._abandoned = True
        self.stop()

    def _end(self) -> None:
        if self._abandoned:
            return
        self._timer.stop()
        stopped = self._worker.abort_requested
        self._hearer.ended()
        if self._fault:
            self._hearer.failed(self._fault)
        elif self._result and not stopped:
            self._hearer.made(self._result[0])
