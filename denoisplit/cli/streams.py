"""Standard streams that are closed, full, or no longer read."""

import codecs
import io
import os
import sys
from contextlib import suppress
from typing import Final

_NAMES: Final = ("stdin", "stdout", "stderr")


def open_missing() -> None:
    """Open the null device where a standard stream was closed (``2>&-``).

    Python has None in its place, and the next file that is opened gets its number: messages of a library to
    stderr would then be written into that file.
    """
    for number, name in enumerate(_NAMES):
        if getattr(sys, name) is not None:
            continue
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
        setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), "w" if number else "r"))


def escape_unencodable() -> None:
    """Escape what an output stream cannot encode, such as a channel called β in a file on Windows."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and codecs.lookup(stream.encoding).name != "utf-8":
            stream.reconfigure(errors="backslashreplace")


def drop_unwritable() -> None:
    """Drop output that a stream cannot take, so that the interpreter does not try again on exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            with suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
