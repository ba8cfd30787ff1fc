"""Lock of a folder for one process at a time; it ends with the process that holds it."""

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
"""Name of the lock file in the folder; it says who holds the lock."""


class LockedError(RunError):
    """Another process holds a lock."""


_HELD: Final = {errno.EACCES, errno.EAGAIN, errno.EDEADLK}
_UNSUPPORTED: Final = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL}

if sys.platform == "win32":
    import msvcrt

    _BEYOND: Final = 1 << 30
    """Locked byte, one beyond the end of the file, as others cannot read a locked byte."""

    def _lock(handle: int) -> None:
        os.lseek(handle, _BEYOND, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        os.lseek(handle, 0, os.SEEK_SET)

else:
    import fcntl

    def _lock(handle: int) -> None:
        # On NFS, Linux turns this into a lock on the server.
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, which is created if needed.

    On file systems without locks, there is a warning and no protection.

    Raises:
        RunError: another process holds it, or another thread of this process.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK
    handle = _acquired(path)
    try:
        with suppress(OSError):  # no space: the lock is held without a name
            os.ftruncate(handle, 0)
            os.write(handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
        yield
    finally:
        # While the lock is held: right after, the file may belong to another process.
        with suppress(OSError):
            path.unlink()
        os.close(handle)


def require_unlocked(folder: Path) -> None:
    """Check that no process has locked a folder.

    Raises:
        RunError: a process has locked it.
    """
    path = folder / LOCK
    if path.is_file():
        os.close(_acquired(path))


def _acquired(path: Path) -> int:
    """Open and lock the file at ``path``; make sure that it is still the file of this name."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(handle)
            current = path.stat()
        except FileNotFoundError:  # the previous holder removed it after it was opened here
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
