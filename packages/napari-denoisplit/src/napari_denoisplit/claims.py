"""What is at a path, by its name alone: a trained run, an image that denoisplit reads, or neither.

Napari asks about every file that is dropped on it, so nothing is imported but the standard library.
"""

from pathlib import Path
from typing import Final

RUN_MARKS: Final = ("model.json", "sequence.json", "checkpoints/resume.ckpt")
"""Files that every run folder has one of."""

SEQUENCE: Final = "sequence.json"
"""The file of a sequence: a denoiser and a splitter in one folder."""

FILES: Final = (
    *(".tif", ".tiff", ".ome.btf", ".stk", ".lsm"),
    *(".h5", ".hdf5", ".npz", ".mrc", ".mrcs", ".rec", ".st", ".dv"),
    *(".czi", ".nd2", ".lif"),
)
"""Endings of files that are opened; napari itself shows PNG and NPY as well as anyone."""

FOLDER: Final = ".zarr"
"""Ending of folders that are one image."""


def is_run(path: Path) -> bool:
    """Whether a folder holds a run or a sequence of runs, finished or not."""
    return any((path / mark).is_file() for mark in RUN_MARKS)


def is_image(path: Path) -> bool:
    """Whether denoisplit reads images of this name."""
    name = path.name.lower()
    return name.endswith(FOLDER) if path.is_dir() else name.endswith(FILES)
