"""A folder belongs to one process at a time, and to one run."""

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self, final

from denoisplit.core.storage.lock import exclusive, require_unlocked
from denoisplit.core.storage.run_folder import RunFolder


@final
class Claim:
    """The claim of a process on the folder that it will write into, as a context: it ends with it.

    What goes on is locked from the beginning. What is new writes nothing, and so locks nothing, until
    ``take``, when all that can be wrong with a spec and its images was found.
    """

    def __init__(self, folder: Path, *, resume: bool) -> None:
        self._folder = folder
        self.goes_on = resume and folder.is_dir()
        self._held = ExitStack()

    def __enter__(self) -> Self:
        """Lock the folder, or check that it is free.

        Raises:
            RunError: another process is at it, or it holds something and is not to go on.
        """
        if self.goes_on:
            self._held.enter_context(exclusive(self._folder))
            RunFolder(self._folder).sweep()
        else:
            require_unlocked(self._folder)
            RunFolder(self._folder).require_free()
        return self

    def take(self) -> None:
        """Begin to write.

        Raises:
            RunError: another process was faster.
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
        """Give the folder back."""
        self._held.close()
