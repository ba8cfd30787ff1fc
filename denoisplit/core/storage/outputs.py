"""Whether something may be written under a name: never over, around or into what is read or was trained.

Names are compared by what they stand for: links, other spellings and second names of a file are seen through.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from denoisplit.core.errors import RunError
from denoisplit.core.storage.run_folder import RunFolder

_ADVICE: Final = "Choose another name."
_BEGINNING: Final = 2**16
_PROPERTIES: Final = 1000


def require_apart(out: Path, *inputs: Path) -> None:
    """Refuse an output that is, contains or lies in an input, or that lies in a run folder.

    Raises:
        RunError: says which.
    """
    for given in inputs:
        if is_same(out, given):
            raise RunError(f"{out}: is an input itself (got {given}). {_ADVICE}")
        if any(is_same(folder, given) for folder in _above(out)):
            raise RunError(f"{out}: lies in an input (got {given}). {_ADVICE}")
        if any(is_same(folder, out) for folder in _above(given)):
            raise RunError(f"{out}: contains an input (got {given}). {_ADVICE}")
    require_outside_runs(out)


def require_outside_runs(out: Path) -> None:
    """Refuse an output that lies in the folder of a run.

    Raises:
        RunError: says which.
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
        path: to write.
        what: is written, for the message.
        recognise: whether the beginning of a file, 64 KiB, is of such a file.

    Raises:
        RunError: a folder, or another file.
    """
    if path.is_dir():
        raise RunError(f"{path}: is a folder. Give the name of a file.")
    if path.exists():
        with path.open("rb") as file:
            known = recognise(file.read(_BEGINNING))
        if not known:
            raise RunError(f"{path}: another file has this name, and is no {what} of ours. {_ADVICE}")


def require_figure(path: Path, *inputs: Path) -> None:
    """Refuse to write a figure that is no PNG, lies among what is read, or replaces another picture.

    Raises:
        RunError: says which.
    """
    if path.suffix.lower() != ".png":
        raise RunError(f"{path}: a picture is a PNG. Choose a name that ends in .png.")
    require_apart(path, *inputs)
    require_ours(path, "figure", lambda beginning: b"Matplotlib" in beginning[:_PROPERTIES])


def is_same(one: Path, other: Path) -> bool:
    """Whether two names stand for one file or folder, which need not exist."""
    try:
        return one.samefile(other)
    except (OSError, ValueError):
        return os.path.realpath(one) == os.path.realpath(other)


def _above(path: Path) -> tuple[Path, ...]:
    """The folders that a path lies in, links followed."""
    return tuple(Path(os.path.realpath(path)).parents)
