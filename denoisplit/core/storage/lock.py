"""One process at a time: a lock on a folder that dies with the process that holds it."""

import errno
import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from denoisplit.core.errors import RunError

_LOG = logging.getLogger("denoisplit.storage")

LOCK: Final = ".lock"
"""Name of the file in the folder; it says who holds the lock."""


class LockedError(RunError):
    """Another process holds a lock."""


_HELD: Final = {errno.EACCES, errno.EAGAIN, errno.EDEADLK}
_UNSUPPORTED: Final = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL}

if sys.platform == "win32":
    import msvcrt

    _BEYOND: Final = 1 << 30
    """A locked byte cannot be read by others, so it is one that the file does not have."""

    def _lock(handle: int) -> None:
        os.lseek(handle, _BEYOND, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        os.lseek(handle, 0, os.SEEK_SET)

else:
    import fcntl

    def _lock(handle: int) -> None:
        # On NFS, Linux makes a lock of the server's of this one.
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, which is made where there is none.

    Where the file system knows no locks, there is a warning and no protection.

    Raises:
        RunError: another process holds it, or another thread of this one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK
    handle = _acquired(path)
    try:
        with suppress(OSError):  # no space: the lock holds without a name
            os.ftruncate(handle, 0)
            os.write(handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
        yield
    finally:
        # As long as the lock is held: the file may be another's right after.
        with suppress(OSError):
            path.unlink()
        os.close(handle)


def require_unlocked(folder: Path) -> None:
    """Check that no process holds the lock of a folder.

    Raises:
        RunError: one does.
    """
    path = folder / LOCK
    if path.is_file():
        os.close(_acquired(path))


def _acquired(path: Path) -> int:
    """An open file that is locked, and is the one at ``path``."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(handle)
            current = path.stat()
        except FileNotFoundError:  # the holder before removed it after it was opened here
            os.close(handle)
            continue
        except OSError as error:
            if error.errno in _UNSUPPORTED:
                _LOG.warning(
                    "%s: this file system has no locks: nothing keeps a second process from writing there",
                    path.parent,
                )
                return handle
            os.close(handle)
            if error.errno not in _HELD:
                raise
            raise LockedError(
                f"{path.parent}: another program is writing there (got {_said(path)}). "
                f"Wait for it or stop it, or choose another --out."
            ) from error
        if os.path.samestat(os.fstat(handle), current):
            return handle
        os.close(handle)


def _said(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip() or "a process that has just begun"
    except OSError:
        return "a process that has just ended"
