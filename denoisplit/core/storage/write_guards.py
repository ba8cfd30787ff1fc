"""Checks that nothing is written over, around or into inputs and trained runs.

Names are compared by what they refer to: links, other spellings and second names of a file are recognised.
"""

import errno
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final, final

from denoisplit.core.errors import RunError
from denoisplit.core.storage.run_folder import RunFolder

_ADVICE: Final = "Choose another name."
_BEGINNING: Final = 2**16
_PROPERTIES: Final = 1000

_Key = str | tuple[int, int]
"""A path without links, or the numbers of device and file."""


@final
class Inputs:
    """Input files and folders, found by what their names refer to, however many there are.

    Args:
        paths: their paths; they need not exist.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self._own: dict[_Key, Path] = {}
        self._above: dict[_Key, Path] = {}
        for path in paths:
            for key in _keys(path):
                self._own.setdefault(key, path)
            for folder in _above(path):
                if str(folder) in self._above:
                    break  # and its parents are there, too
                self._above.update(dict.fromkeys(_keys(folder), path))

    def same(self, out: Path) -> Path | None:
        """The input that an output is identical to, if any."""
        return _first(self._own, out)

    def require_other(self, out: Path) -> None:
        """Refuse an output that is an input.

        Raises:
            RunError: names the input.
        """
        if (given := self.same(out)) is not None:
            raise RunError(f"{out}: is an input itself (got {given}). {_ADVICE}")

    def require_apart(self, out: Path) -> None:
        """Refuse an output that contains or lies in an input.

        Raises:
            RunError: names the input.
        """
        for folder in _above(out):
            if (given := _first(self._own, folder)) is not None:
                raise RunError(f"{out}: lies in an input (got {given}). {_ADVICE}")
        if (given := _first(self._above, out)) is not None:
            raise RunError(f"{out}: contains an input (got {given}). {_ADVICE}")


def require_apart(out: Path, *inputs: Path) -> None:
    """Refuse an output that is, contains or lies in an input, or that lies in a run folder.

    Raises:
        RunError: names the input or the run.
    """
    known = Inputs(inputs)
    known.require_other(out)
    known.require_apart(out)
    require_outside_runs(out)


def require_name(out: Path) -> None:
    """Refuse a name that no file can have.

    Raises:
        RunError: it is too long for the file system, or contains a byte that names must not contain.
    """
    try:
        out.lstat()
    except (OSError, ValueError) as error:
        if isinstance(error, ValueError) or error.errno == errno.ENAMETOOLONG:
            reason = error.strerror if isinstance(error, OSError) else error
            raise RunError(f"{out}: no file can have this name ({reason}). Choose a shorter one.") from error


def require_outside_runs(out: Path) -> None:
    """Refuse an output that lies in the folder of a run.

    Raises:
        RunError: names the run.
    """
    for folder in _above(out):
        if RunFolder(folder).is_run:
            raise RunError(
                f"{out}: lies in the folder of a run, which is not mixed with other files (got {folder}). "
                f"{_ADVICE}"
            )


def require_ours(path: Path, what: str, recognise: Callable[[bytes], bool]) -> None:
    """Refuse to replace a file that denoisplit did not make.

    Args:
        path: path to write.
        what: what is written, for the message.
        recognise: function that tells from the first 64 KiB whether a file is of this sort.

    Raises:
        RunError: a folder or another file has this name.
    """
    if path.is_dir():
        raise RunError(f"{path}: is a folder. Give the name of a file.")
    if path.exists():
        with path.open("rb") as file:
            known = recognise(file.read(_BEGINNING))
        if not known:
            raise RunError(f"{path}: a file that is not a {what} of denoisplit has this name. {_ADVICE}")


def require_figure(path: Path, *inputs: Path) -> None:
    """Refuse to write a figure that is not a PNG, lies among inputs, or replaces another picture.

    Raises:
        RunError: says why.
    """
    if path.suffix.lower() != ".png":
        raise RunError(f"{path}: figures are written as PNG. Choose a name that ends in .png.")
    require_apart(path, *inputs)
    require_ours(path, "figure", lambda beginning: b"Matplotlib" in beginning[:_PROPERTIES])


def is_same(one: Path, other: Path) -> bool:
    """Whether two names refer to the same file or folder, which need not exist."""
    return not _keys(one).isdisjoint(_keys(other))


def _keys(path: Path) -> frozenset[_Key]:
    """Identities of a name: its path with links followed, and the file itself if it exists."""
    real = os.path.realpath(path)
    try:
        found = Path(real).stat()
    except (OSError, ValueError):
        return frozenset((real,))
    return frozenset((real, (found.st_dev, found.st_ino)))


def _first(known: Mapping[_Key, Path], path: Path) -> Path | None:
    return next((known[key] for key in _keys(path) if key in known), None)


def _above(path: Path) -> tuple[Path, ...]:
    """The folders that contain a path, links followed."""
    return tuple(Path(os.path.realpath(path)).parents)
