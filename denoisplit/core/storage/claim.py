"""Ownership of a folder: it belongs to one process at a time, and to one run."""

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self, final

from denoisplit.core.storage.lock import exclusive, require_unlocked
from denoisplit.core.storage.run_folder import RunFolder


@final
class Claim:
    """Context that reserves the folder a process will write to.

    An existing run is locked from the beginning. A new one writes nothing, not even a lock, until ``take``,
    when everything that can be wrong with a spec and its images has been checked.
    """

    def __init__(self, folder: Path, *, resume: bool) -> None:
        self._folder = folder
        self.goes_on = resume and folder.is_dir()
        self._held = ExitStack()

    def __enter__(self) -> Self:
        """Lock the folder, or check that it is free.

        Raises:
            RunError: another process uses the folder, or it is not empty and not to be resumed.
        """
        if self.goes_on:
            self._held.enter_context(exclusive(self._folder))
            RunFolder(self._folder).sweep()
        else:
            require_unlocked(self._folder)
            RunFolder(self._folder).require_free()
        return self

    def take(self) -> None:
        """Lock the folder and begin to write.

        Raises:
            RunError: another process has locked it meanwhile.
        """
        if not self.goes_on:
            self._held.enter_context(exclusive(self._folder))
            RunFolder(self._folder).require_free()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Release the folder."""
        self._held.close()
