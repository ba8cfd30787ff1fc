"""Commands on a terminal of their own: a pseudo-terminal in place of the standard streams of this process."""

import fcntl
import os
import re
import struct
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import attrs

from denoisplit.cli import main

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]")
SETTINGS = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
"""Of the environment of the tests, which are not to decide."""


@attrs.frozen
class Shown:
    """What a command left on its terminal.

    Attributes:
        code: its exit code.
        raw: all it wrote, control codes included.
    """

    code: int
    raw: str

    @property
    def lines(self) -> list[str]:
        """Everything that could be read at some time, bars that were drawn over included."""
        return [line.rstrip() for line in re.split(r"[\r\n]+", CONTROL.sub("", self.raw))]

    @property
    def text(self) -> str:
        """The lines as one."""
        return "\n".join(self.lines)


def run(*arguments: str, columns: int = 80, **environment: str) -> Shown:
    """Run a command of ``denoisplit`` on a terminal of so many columns."""
    with _terminal(columns, {"TERM": "xterm-256color", **environment}) as raw:
        try:
            main(list(arguments), prog_name="denoisplit")
        except SystemExit as end:
            code = end.code
    return Shown(code if isinstance(code, int) else int(code is not None), b"".join(raw).decode())


@contextmanager
def _terminal(columns: int, environment: dict[str, str]) -> Iterator[list[bytes]]:
    """A terminal behind the standard streams, by number and by name; what it is sent, complete at the end."""
    keeper, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    raw: list[bytes] = []
    reader = threading.Thread(target=_read, args=(keeper, raw))
    reader.start()
    kept = [os.dup(number) for number in range(3)]
    names = {name: value for name, value in os.environ.items() if name not in SETTINGS} | environment
    try:
        for number in range(3):
            os.dup2(terminal, number)
        os.close(terminal)
        with (
            open(1, "w", encoding="utf-8", closefd=False) as out,
            open(2, "w", encoding="utf-8", closefd=False) as messages,
            mock.patch.multiple(sys, stdout=out, stderr=messages, __stdout__=out, __stderr__=messages),
            mock.patch.dict(os.environ, names, clear=True),
        ):
            yield raw
    finally:
        for number, old in enumerate(kept):
            os.dup2(old, number)
            os.close(old)
        reader.join()
        os.close(keeper)


def _read(keeper: int, raw: list[bytes]) -> None:
    """Read until nobody holds the terminal."""
    while True:
        try:
            raw.append(os.read(keeper, 65536))
        except OSError:
            return
