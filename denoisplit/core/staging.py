"""Files and folders that appear whole or not at all, even if the process is killed meanwhile.

Content is written to a hidden folder beside its destination, flushed to the disk, and moved there in one
step. A file in the folder identifies it and its content; a lock shows that the process is alive. The next
process removes what dead processes left, and nothing else.
"""

import ctypes
import errno
import hashlib
import os
import re
import shutil
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, final

if sys.platform != "win32":
    import fcntl

_STAGED: Final = re.compile(r"\..+\.[0-9a-f]{12}\.part")
"""Names of staging folders."""

_SET_ASIDE: Final = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{32}\.part\.old")
"""Names of folders that earlier versions set aside for a moment."""

_MARK: Final = "place"
_OURS: Final = b"denoisplit writes here: "
"""Beginning of the file ``_MARK`` in a staging folder; the name of the destination follows."""

_ROOM: Final = 100
"""Bytes of the original name within a hidden name: file systems allow 255 in all, some only 143."""

_UNABLE: Final = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EOPNOTSUPP)
"""Errors by which file systems refuse operations that they do not support."""

_MANY: Final = 200
"""Largest number of files that are flushed one by one."""

_TRIES: Final = 10
_PAUSE: Final = 0.02
"""Attempts at removing a folder, and seconds between them."""

_NO_FOLDERS: Final = sys.platform == "win32"  # which cannot open folders

_HERE: Final = -100
_EXCHANGE: Final = 2


@final
class Staging:
    """A place to write to, which is then published in one step.

    Attributes:
        path: destination; the target if ``path`` is a link.
        new: file or folder to write; it does not exist at first.
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
        """Create the hidden folder, and lock it."""
        while True:
            self._folder = hidden(self.path, f".{uuid.uuid4().hex[:12]}.part")
            self._folder.mkdir()
            lock = _opened(self._folder)
            _hold(lock, wait=True)
            try:
                (self._folder / _MARK).write_bytes(_OURS + os.fsencode(self.path.name))
            except FileNotFoundError:  # another process removed it as abandoned before it was locked
                os.close(lock)
            except OSError:
                _discard(self._folder)
                os.close(lock)
                raise
            else:
                return lock

    def publish(self) -> None:
        """Move the content to its destination; at any moment, the old or the new content is there, complete.

        Raises:
            OSError: the content cannot be moved; its path is the destination.
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
            # If the process ends between the two, the next one finds the new folder and moves it.
            self.path.rename(self._folder / "old")
            self.new.rename(self.path)

    def close(self) -> None:
        """Remove the hidden folder."""
        if self._lock < 0:
            return
        for _ in range(_TRIES):
            with suppress(OSError):  # where nothing could be written, there is nothing to remove
                _discard(self._folder)
            if not self._folder.exists():
                break
            time.sleep(_PAUSE)  # threads of a library may still write for a moment after one has failed
        os.close(self._lock)
        self._lock = -1


@contextmanager
def staged(path: Path) -> Iterator[Path]:
    """Context that gives a file or folder to write, which replaces ``path`` if the block succeeds.

    Raises:
        OSError: something in the block cannot be written; its path is ``path``.
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
    """Context that gives a hidden folder beside ``path`` for temporary files.

    Raises:
        OSError: something in the block cannot be written; its path is ``path``.
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
    """Context in which system errors name the path that the user knows."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename == str(path):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def hidden(path: Path, ending: str) -> Path:
    """A hidden path beside another, such as ``.cells.tif.jobs``; a long name is shortened with a digest."""
    name, given = path.name, os.fsencode(path.name)
    if len(given) > _ROOM:
        name = f"{given[:_ROOM].decode(errors='ignore')}~{hashlib.sha256(given).hexdigest()[:12]}"
    return path.with_name(f".{name}{ending}")


def is_staged(name: str) -> bool:
    """Whether a name belongs to an unfinished file or folder."""
    return _STAGED.fullmatch(name) is not None


def place_of(path: Path) -> Path:
    """Destination of content staged at ``path``; other paths unchanged."""
    return _place(path.parent) or path


def sweep(folder: Path) -> None:
    """Remove what killed processes have left in a folder; what a living process has locked stays.

    If a process was killed between setting the old folder aside and moving the new one, the new one is moved
    to its destination.
    """
    with suppress(OSError):  # a courtesy: it must not stop the work
        for entry in list(os.scandir(folder)):
            if entry.is_dir(follow_symlinks=False):
                if _STAGED.fullmatch(entry.name):
                    _take_over(Path(entry.path))
                elif match := _SET_ASIDE.fullmatch(entry.name):
                    _bring_back(Path(entry.path), folder / match["name"])


def _place(staged_at: Path) -> Path | None:
    """Destination of the content of a staging folder; None for other folders."""
    if not is_staged(staged_at.name):
        return None
    try:
        said = (staged_at / _MARK).read_bytes()
    except OSError:
        return None
    return staged_at.with_name(os.fsdecode(said.removeprefix(_OURS))) if said.startswith(_OURS) else None


def _take_over(left: Path) -> None:
    with suppress(OSError):
        lock = _opened(left)
        try:
            if not _hold(lock, wait=False):
                return
            place, finished = _place(left), left / "new"
            if place is None:
                left.rmdir()  # of a process killed at once; foreign folders are not empty
                return
            if not os.path.lexists(place) and (left / "old").is_dir() and finished.is_dir():
                finished.rename(place)
            _discard(left)
        finally:
            os.close(lock)


def _bring_back(left: Path, path: Path) -> None:
    if not os.path.lexists(path):
        left.rename(path)


def _opened(folder: Path) -> int:
    """Open a folder, to be locked; on Windows, which opens no folders, the null device."""
    return os.open(os.devnull if _NO_FOLDERS else folder, os.O_RDONLY)


def _hold(lock: int, *, wait: bool) -> bool:
    """Lock an open folder or file; whether this process now holds it alone."""
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:  # locked, or a file system without locks, where nobody knows whether a process is alive
        return False
    return True


def _discard(folder: Path) -> None:
    """Remove a staging folder so that it stays recognisable if the process ends meanwhile."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name == _MARK):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry)
        else:
            Path(entry).unlink()
    folder.rmdir()


def _flush_all(path: Path) -> None:
    """Flush a file, or a folder with its content."""
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
    """Flush a file, or the names in a folder, to the disk if the file system can."""
    if _NO_FOLDERS and path.is_dir():
        return
    handle = os.open(path, os.O_RDWR if _NO_FOLDERS else os.O_RDONLY)  # Windows flushes what can be written
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _UNABLE:
            raise
    finally:
        os.close(handle)


def _exchanged(one: Path, other: Path) -> bool:
    """Exchange two names in one step; return whether the system could."""
    try:
        exchange = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):  # another system than Linux
        return False
    if exchange(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0:
        return True
    if (number := ctypes.get_errno()) in _UNABLE:
        return False
    raise OSError(number, os.strerror(number), str(other))
