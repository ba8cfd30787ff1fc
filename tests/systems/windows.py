"""Windows, as far as Linux can play it: what it lacks is gone, and what it refuses is refused.

Libraries are imported before, with the system as it is: only denoisplit meets Windows.
"""

import asyncio  # noqa: F401
import concurrent.futures  # noqa: F401
import ctypes
import errno
import multiprocessing.spawn  # noqa: F401
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import click.testing  # noqa: F401
import h5py  # noqa: F401
import jinja2  # noqa: F401
import lightning_fabric  # noqa: F401
import matplotlib.figure  # noqa: F401
import rich.progress  # noqa: F401
import rich.table  # noqa: F401
import scipy.ndimage  # noqa: F401
import tifffile  # noqa: F401
import torch  # noqa: F401
import zarr  # noqa: F401

LACKING = ("fork", "sysconf", "sysconf_names", "sync", "getuid", "geteuid", "mkfifo", "sched_getaffinity")
ACCESS = os.O_RDONLY | os.O_WRONLY | os.O_RDWR


def play() -> None:
    """From now on, denoisplit is on Windows."""
    import fcntl

    def write_only(handle: int, real: Callable[[int], None] = os.fsync) -> None:
        if fcntl.fcntl(handle, fcntl.F_GETFL) & ACCESS == os.O_RDONLY:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        real(handle)

    def no_folders(path: Any, *rest: Any, real: Callable[..., int] = os.open, **more: Any) -> int:
        if os.path.isdir(path):  # noqa: PTH112 (what os.open takes)
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), os.fspath(path))
        return real(path, *rest, **more)

    for name in LACKING:
        if hasattr(os, name):
            delattr(os, name)
    os.fsync, os.open = write_only, no_folders  # type: ignore[assignment]
    for name in ("replace", "rename", "unlink", "remove"):
        setattr(os, name, _unused(getattr(os, name)))
    shutil._use_fd_functions = False  # type: ignore[attr-defined]
    msvcrt: Any = ModuleType("msvcrt")
    msvcrt.LK_NBLCK, msvcrt.locking = 2, lambda *_: None
    sys.modules |= {"fcntl": None, "resource": None, "msvcrt": msvcrt}  # type: ignore[dict-item]
    memory = SimpleNamespace(GlobalMemoryStatusEx=_tell_memory)
    ctypes.windll = SimpleNamespace(kernel32=memory)  # type: ignore[attr-defined]
    sys.platform = "win32"


def _tell_memory(status: Any) -> int:
    assert status._obj.length == 64
    status._obj.total = 8 << 30
    return 1


def _unused(real: Callable[..., None]) -> Callable[..., None]:
    """Refuse to move or remove what is open, or mapped into memory."""

    def act(path: Any, *rest: Any, **more: Any) -> None:
        if "dir_fd" not in more:
            for moved in (path, *(one for one in rest if isinstance(one, str | os.PathLike))):
                whole = os.path.realpath(moved)
                if used := [one for one in _in_use() if one == whole or one.startswith(f"{whole}/")]:
                    raise PermissionError(errno.EACCES, f"{used[0]} is open", os.fspath(moved))
        real(path, *rest, **more)

    return act


def _in_use() -> Iterator[str]:
    for link in Path("/proc/self/fd").iterdir():
        try:
            yield str(link.readlink())
        except OSError:
            continue
    for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
        yield line.partition("/")[1] + line.partition("/")[2]
