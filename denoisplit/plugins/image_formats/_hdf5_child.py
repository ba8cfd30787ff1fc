"""Inspection of HDF5 files in a separate process, since damaged files may crash the one that reads them.

The library is known to crash or to loop on damaged files. The child starts once, which takes a quarter of a
second, and then needs a millisecond per file, or a few where one fails.
"""

import atexit
import functools
import importlib
import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, final

import attrs

from denoisplit.core.errors import ImageError
from denoisplit.core.images.lazy import unreadable
from denoisplit.plugins.image_formats._hdf5_contents import answer

_SECONDS: Final = 2
"""Processor time after which the library counts as caught in a loop; an answer takes up to half a second."""

_MEMORY: Final = 2**32

_PROGRAM: Final = """
import sys
sys.path[:] = {path!r}
from denoisplit.plugins.image_formats import _hdf5_child
_hdf5_child.serve()
"""


@attrs.frozen(kw_only=True)
class Contents:
    """An image in a file, all but its pixels.

    Attributes:
        name: name of the data set.
        shape, dtype, chunks: its shape, type and chunks.
        said: metadata from its attributes, under the keys of our own remark.
    """

    name: str
    shape: tuple[int, ...] = attrs.field(converter=tuple)
    dtype: str
    chunks: tuple[int, ...] | None = attrs.field(converter=attrs.converters.optional(tuple))
    said: dict[str, Any]


def look(file: Path, inside: str, path: Path, *, other_files: bool = False) -> Contents:
    """Look up the image of a file, see ``_hdf5_contents.contents``.

    Raises:
        ImageError: no such image, several, pixels in other files, or an unreadable file.
    """
    question = {"file": str(file), "inside": inside, "path": str(path), "other_files": other_files}
    child = _child_of(os.getpid())
    found = child.ask({**question, "bare": False})
    # Perhaps only the attributes are damaged, and pixels can be read without them.
    found = child.ask({**question, "bare": True}) if found is None else found
    if found is None:
        raise unreadable(str(path), ValueError("the HDF5 library fails on it"), "HDF5")
    if "refused" in found:
        raise ImageError(found["refused"])
    if "unreadable" in found:
        raise unreadable(str(path), ValueError(found["unreadable"]), "HDF5")
    return Contents(**found["found"])


@functools.cache
def _child_of(_process: int) -> "_Child":
    """Return the child of this process: after a fork, two processes would share one."""
    return _Child()


@final
class _Child:
    """A process that answers questions, restarted after a question that crashed it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()

    def ask(self, question: dict[str, Any]) -> dict[str, Any] | None:
        """Return the answer; None where the process crashed instead."""
        text = json.dumps(question)
        with self._lock:
            process = self._process = self._process or _started()
            if process is None or process.stdin is None or process.stdout is None:
                said = answer(text)  # where no process can be started, answer in this one
            else:
                said = ""
                with suppress(OSError):
                    process.stdin.write(text + "\n")
                    process.stdin.flush()
                    said = process.stdout.readline()
                if not said:
                    _end(process)
                    self._process = None
        found: dict[str, Any] | None = json.loads(said) if said else None
        return found


def _started() -> "subprocess.Popen[str] | None":
    with suppress(OSError):
        process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM.format(path=sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )
        atexit.register(_end, process)
        return process
    return None


def _end(process: "subprocess.Popen[str]") -> None:
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with suppress(OSError):
                stream.close()
    process.wait()


def serve() -> None:
    """Answer questions line by line until the input ends; null where one fails.

    A fork of this process answers, which is replaced within milliseconds.
    """
    importlib.import_module("h5py")  # once, before any fork

    while hasattr(os, "fork"):
        copy = os.fork()
        if not copy:
            break
        _, status = os.waitpid(copy, 0)
        if not status:
            return
        _say("null")
    for question in sys.stdin:
        _limit()
        _say(answer(question))


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _limit() -> None:
    """Let the system end the process when the library loops or takes all memory."""
    try:
        import resource
    except ImportError:  # Windows has no resource module
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    seconds = int(used.ru_utime + used.ru_stime) + _SECONDS
    for what, least in (
        (resource.RLIMIT_CPU, (seconds, most)),
        (resource.RLIMIT_AS, (_MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1])),
        (resource.RLIMIT_CORE, (0, 0)),
    ):
        with suppress(OSError, ValueError):  # macOS reserves more addresses for every process, and refuses
            resource.setrlimit(what, least)
