"""Files and folders that appear whole or not at all, whatever kills the process meanwhile.

What is written grows in a hidden folder beside its place, is flushed to the disk, and takes its place in one
step. A file in the folder says that it is ours, and what is written; a lock, that the process lives. What
processes left that do not is removed by the next one, and nothing else is.
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
"""Names of what is staged."""

_SET_ASIDE: Final = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{32}\.part\.old")
"""Names of folders that earlier versions set aside for a moment."""

_MARK: Final = "place"
_OURS: Final = b"denoisplit writes here: "
"""What the file ``_MARK`` of our folders begins with; the name of what is written follows."""

_ROOM: Final = 100
"""Bytes of a name in hidden names beside it: file systems have room for 255, and some for 143."""

_UNABLE: Final = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EOPNOTSUPP)
"""What file systems answer that cannot do something at all."""

_MANY: Final = 200
"""Files that are flushed one by one."""

_TRIES: Final = 10
_PAUSE: Final = 0.02
"""Of removing a folder, seconds."""

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
            self._folder = hidden(self.path, f".{uuid.uuid4().hex[:12]}.part")
            self._folder.mkdir()
            lock = os.open(self._folder, os.O_RDONLY)
            _hold(lock, wait=True)
            try:
                (self._folder / _MARK).write_bytes(_OURS + os.fsencode(self.path.name))
            except FileNotFoundError:  # another process took it for abandoned before it was held
                os.close(lock)
            except OSError:
                _discard(self._folder)
                os.close(lock)
                raise
            else:
                return lock

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
        for _ in range(_TRIES):
            with suppress(OSError):  # where nothing could be written, there is nothing to remove
                _discard(self._folder)
            if not self._folder.exists():
                break
            time.sleep(_PAUSE)  # threads of a library may write for a moment after one of them has failed
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


def hidden(path: Path, ending: str) -> Path:
    """A hidden place beside another, such as ``.cells.tif.jobs``; a long name is cut and gets a digest."""
    name, given = path.name, os.fsencode(path.name)
    if len(given) > _ROOM:
        name = f"{given[:_ROOM].decode(errors='ignore')}~{hashlib.sha256(given).hexdigest()[:12]}"
    return path.with_name(f".{name}{ending}")


def is_staged(name: str) -> bool:
    """Whether a name is one that unfinished files and folders have."""
    return _STAGED.fullmatch(name) is not None


def place_of(path: Path) -> Path:
    """Where what is staged at ``path`` will appear; other paths as they are."""
    return _place(path.parent) or path


def sweep(folder: Path) -> None:
    """Remove what killed processes have staged in a folder; what is held by a living one stays.

    Where a process was killed with the old folder aside and the new one not yet in its place, the new one
    is moved there.
    """
    with suppress(OSError):  # nobody asked for it: it must not stop the work
        for entry in list(os.scandir(folder)):
            if entry.is_dir(follow_symlinks=False):
                if _STAGED.fullmatch(entry.name):
                    _take_over(Path(entry.path))
                elif match := _SET_ASIDE.fullmatch(entry.name):
                    _bring_back(Path(entry.path), folder / match["name"])


def _place(staged_at: Path) -> Path | None:
    """Where what is in a folder of ours will appear; None for other folders."""
    if not is_staged(staged_at.name):
        return None
    try:
        said = (staged_at / _MARK).read_bytes()
    except OSError:
        return None
    return staged_at.with_name(os.fsdecode(said.removeprefix(_OURS))) if said.startswith(_OURS) else None


def _take_over(left: Path) -> None:
    with suppress(OSError):
        lock = os.open(left, os.O_RDONLY)
        try:
            if not _hold(lock, wait=False):
                return
            place, finished = _place(left), left / "new"
            if place is None:
                left.rmdir()  # of a process that was killed at once; a folder of others is not empty
                return
            if not os.path.lexists(place) and (left / "old").is_dir() and finished.is_dir():
                finished.rename(place)
            _discard(left)
        finally:
            os.close(lock)


def _bring_back(left: Path, path: Path) -> None:
    if not os.path.lexists(path):
        left.rename(path)


def _hold(lock: int, *, wait: bool) -> bool:
    """Whether an open folder or file is now held by this process alone."""
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:  # held, or a file system without locks: nobody can tell whether a process lives
        return False
    return True


def _discard(folder: Path) -> None:
    """Remove a folder of ours; should the process end meanwhile, what is left is known to be ours."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name == _MARK):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry)
        else:
            Path(entry).unlink()
    folder.rmdir()


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
