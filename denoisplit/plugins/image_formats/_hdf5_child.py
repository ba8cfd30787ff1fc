"""HDF5 files are looked at in a process of its own first: some damaged ones end the process that reads them.

The library is known to crash or to loop on damaged files. The child starts once, takes a quarter of a second
for that, and then a millisecond per file, or some where one fails.
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
"""Of a processor, after which the library counts as caught in a loop; what it is asked takes half of one."""

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
        name: of the data set.
        shape, dtype, chunks: of it.
        said: what its attributes tell, in the words of our remark.
    """

    name: str
    shape: tuple[int, ...] = attrs.field(converter=tuple)
    dtype: str
    chunks: tuple[int, ...] | None = attrs.field(converter=attrs.converters.optional(tuple))
    said: dict[str, Any]


def look(file: Path, inside: str, path: Path, *, other_files: bool = False) -> Contents:
    """The image of a file, see ``_hdf5_contents.contents``.

    Raises:
        ImageError: no such image, several, pixels that lie elsewhere, or an unreadable file.
    """
    question = {"file": str(file), "inside": inside, "path": str(path), "other_files": other_files}
    child = _child_of(os.getpid())
    found = child.ask({**question, "bare": False})
    # Attributes may be all that is damaged, and pixels need none.
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
    """One for every process: after a fork two would talk to the same."""
    return _Child()


@final
class _Child:
    """A process that answers questions, and is started anew after one that ended it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()

    def ask(self, question: dict[str, Any]) -> dict[str, Any] | None:
        """The answer; None where the process ended instead."""
        text = json.dumps(question)
        with self._lock:
            process = self._process = self._process or _started()
            if process is None or process.stdin is None or process.stdout is None:
                said = answer(text)  # where no process can be started, there is no second try
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
    """Answer the questions that come line by line, until there are no more; null where one fails.

    A copy of this process answers, which takes milliseconds to make anew.
    """
    importlib.import_module("h5py")  # so that no copy has to

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
    """End the process where the library loops or takes all memory."""
    try:
        import resource
    except ImportError:  # not on Windows
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + _SECONDS, most))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
