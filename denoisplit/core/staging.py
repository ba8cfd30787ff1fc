"""Files and folders that appear whole or not at all, whatever kills the process meanwhile.

What is written grows in a hidden folder beside its place, is flushed to the disk, and takes its place in one
step. A lock says that the process lives; what processes left that do not is removed by the next one.
"""

import ctypes
import errno
import os
import re
import shutil
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, final

if sys.platform != "win32":
    import fcntl

_OURS: Final = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{12}(?:[0-9a-f]{20})?\.part(?P<old>\.old)?")
"""Names of what is staged, those of earlier versions included."""

_UNABLE: Final = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EOPNOTSUPP)
"""What file systems answer that cannot do something at all."""

_MANY: Final = 200
"""Files that are flushed one by one."""

_HERE: Final = -100
_EXCHANGE: Final = 2


@final
class Staging:
    """A place to write to, and the step that makes it appear.

    Attributes:
        path: where it will appear; the target of a link where ``path`` is one.
        new: what to write to, a file or a folder; nothing is there yet.
    """

    def __init__(self, path: Path) -> None:
        self._given = path
        with naming(path):
            self.path = Path(os.path.realpath(path)) if path.is_symlink() else path
            self.path.parent.mkdir(parents=True, exist_ok=True)
            sweep(self.path.parent)
            self._lock = self._begin()
            self.new = self._folder / "new"

    def _begin(self) -> int:
        """Make the hidden folder, and hold it."""
        while True:
            self._folder = self.path.with_name(f".{self.path.name}.{uuid.uuid4().hex[:12]}.part")
            self._folder.mkdir()
            lock = os.open(self._folder, os.O_RDONLY)
            _hold(lock, wait=True)
            # Another process may have taken it for abandoned before it was held.
            if self._folder.is_dir():
                return lock
            os.close(lock)

    def publish(self) -> None:
        """Put what was written in its place; at every moment, the old or the new is there, complete.

        Raises:
            OSError: with the path that was given.
        """
        with naming(self._given):
            _flush_all(self.new)
            if self.new.is_dir() and self.path.is_dir():
                self._exchange()
            else:
                self.new.replace(self.path)
            _flush(self.path.parent)

    def _exchange(self) -> None:
        if not _exchanged(self.new, self.path):
            # Should the process end between the two, the next one finds the new folder and moves it.
            self.path.rename(self._folder / "old")
            self.new.rename(self.path)

    def close(self) -> None:
        """Remove what is left of it."""
        if self._lock < 0:
            return
        with suppress(OSError):  # where nothing could be written, there is nothing to remove
            _remove(self._folder)
        os.close(self._lock)
        self._lock = -1


@contextmanager
def staged(path: Path) -> Iterator[Path]:
    """What to write to, a file or a folder, which replaces ``path`` when the block ends without an error.

    Raises:
        OSError: with ``path``, for whatever cannot be written in the block.
    """
    staging = Staging(path)
    try:
        with naming(path):
            yield staging.new
        staging.publish()
    finally:
        staging.close()


@contextmanager
def scratch(path: Path) -> Iterator[Path]:
    """A hidden folder beside ``path`` for what is needed until it is written.

    Raises:
        OSError: with ``path``, for whatever cannot be written in the block.
    """
    staging = Staging(path)
    try:
        with naming(path):
            staging.new.mkdir()
            yield staging.new
    finally:
        staging.close()


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let errors of the system carry the path that the user knows."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename == str(path):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def is_staged(name: str) -> bool:
    """Whether a name is one that unfinished files and folders have."""
    return _OURS.fullmatch(name) is not None


def place_of(path: Path) -> Path:
    """Where what is staged at ``path`` will appear; other paths as they are."""
    match = _OURS.fullmatch(path.parent.name)
    return path if match is None else path.parent.with_name(match["name"])


def sweep(folder: Path) -> None:
    """Remove what killed processes have staged in a folder; what is held by a living one stays.

    Where a process was killed with the old folder aside and the new one not yet in its place, the new one
    is moved there.
    """
    with suppress(OSError):  # nobody asked for it: it must not stop the work
        for entry in list(os.scandir(folder)):
            if (match := _OURS.fullmatch(entry.name)) and not entry.is_symlink():
                _take_over(Path(entry.path), folder / match["name"], aside=bool(match["old"]))


def _take_over(left: Path, path: Path, *, aside: bool) -> None:
    with suppress(OSError):
        lock = os.open(left, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        try:
            if not _hold(lock, wait=False):
                return
            finished = left if aside else left / "new"
            if not os.path.lexists(path) and (aside or (left / "old").is_dir()) and finished.is_dir():
                finished.rename(path)
            if left.exists():
                _remove(left)
        finally:
            os.close(lock)


def _hold(lock: int, *, wait: bool) -> bool:
    """Whether an open folder or file is now held by this process alone."""
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:  # held, or a file system without locks: nobody can tell whether a process lives
        return False
    return True


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _flush_all(path: Path) -> None:
    """Flush a file, or a folder with all that is in it."""
    if not path.is_dir():
        _flush(path)
        return
    inside = [Path(folder, name) for folder, _, names in os.walk(path) for name in (*names, "")]
    if len(inside) > _MANY and hasattr(os, "sync"):
        os.sync()  # one by one, thousands of chunks take minutes
        return
    for name in inside:
        _flush(name)


def _flush(path: Path) -> None:
    """Have a file or the names in a folder on the disk, where the file system knows how."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _UNABLE:
            raise
    finally:
        os.close(handle)


def _exchanged(one: Path, other: Path) -> bool:
    """Exchange two names in one step; whether the system could."""
    try:
        exchange = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):  # another system than Linux
        return False
    if exchange(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0:
        return True
    if (number := ctypes.get_errno()) in _UNABLE:
        return False
    raise OSError(number, os.strerror(number), str(other))
