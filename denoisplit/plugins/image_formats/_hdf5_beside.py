"""Adds a data set to an HDF5 file: written to a copy, which then replaces the file."""

import shutil
from pathlib import Path, PurePosixPath

from denoisplit.core.errors import ImageError
from denoisplit.core.staging import staged


def has(file: Path, name: str, *, image: bool = False) -> bool:
    """Whether a file has something of this name; with ``image``, a data set and not a group."""
    import h5py

    try:
        with h5py.File(file, "r") as opened:
            kind = opened.get(name, getclass=True)
            return kind is h5py.Dataset if image else kind is not None
    except (OSError, RuntimeError, KeyError):  # not HDF5, or damaged: must not be replaced
        return not image


def require_free_way(file: Path, name: str) -> None:
    """Refuse a name that leads through a data set, which cannot contain anything.

    Raises:
        ImageError: names that data set.
    """
    for outer in PurePosixPath(name).parents:
        if has(file, str(outer), image=True):
            raise ImageError(
                f"{file}/{name}: the path leads through an image (got the data set {outer}). "
                f"Choose a name beside it."
            )


def has_one(file: Path) -> bool:
    """Whether a file has one data set and nothing else."""
    import h5py

    try:
        with h5py.File(file, "r") as opened:
            names = list(opened)
            return len(names) == 1 and opened.get(names[0], getclass=True) is h5py.Dataset
    except (OSError, RuntimeError, KeyError):
        return False


def add_beside(made: Path, file: Path, *, name: str) -> None:
    """Put the data set ``name`` of the file ``made`` into another file, in one step.

    Raises:
        ImageError: the file cannot be read, or was changed meanwhile.
        OSError: no space for a copy of the file.
    """
    import h5py

    with staged(file) as whole:
        try:
            with h5py.File(file, "r"):  # fails while another process writes to it
                before = file.stat()
                shutil.copyfile(file, whole)
            with h5py.File(made, "r") as source, h5py.File(whole, "r+") as target:
                if name in target:
                    del target[name]
                source.copy(name, target, name)
        except (RuntimeError, ValueError, KeyError) as error:
            raise ImageError(
                f"{file}: nothing can be added to it ({error}). Write into another file."
            ) from error
        now = file.stat()
        if (now.st_ino, now.st_size, now.st_mtime_ns) != (before.st_ino, before.st_size, before.st_mtime_ns):
            raise ImageError(f"{file}: was changed meanwhile. Write into another file.")
