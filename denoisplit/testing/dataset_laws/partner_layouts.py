"""Small folders with clean references and recorded mixed images, in counts of 16 bits."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt

from denoisplit.testing.dataset_laws import layouts
from denoisplit.testing.dataset_laws.layouts import BRIGHTER, FIELDS, Writer, write

_SIDES: Final = (24, 20)
_FRAMES: Final = 2
"""Number of exposures of the last field, which share their clean reference."""

Counts = npt.NDArray[np.uint16]


@attrs.frozen(kw_only=True)
class Partners:
    """A folder whose images all have partners.

    Attributes:
        write: function that fills it.
        options: options of the data set that reads it.
        mixed: whether some fields have a recorded mixed image.
        fields: number of fields.
        counted: whether partners must have as many positions along time as the observed image.
        twice: roles of images that must not be there twice, with the same name but for its ending.
    """

    write: Writer
    options: Mapping[str, Any] = attrs.field(factory=dict)
    mixed: bool = False
    fields: int = FIELDS
    counted: bool = True
    twice: tuple[str, ...] = ("observed", "clean")


def _truth(rng: np.random.Generator, channels: int, rank: int) -> Counts:
    """Return clean pixels [c (z) y x]."""
    each = BRIGHTER ** np.arange(channels)
    shape = (channels, *(3,) * (rank - 2), *_SIDES)
    return np.round(200 + rng.gamma(3, 100, shape) * each.reshape(-1, *(1,) * rank)).astype(np.uint16)


def _noisy(rng: np.random.Generator, truth: Counts) -> Counts:
    return np.round(truth + rng.normal(0, 15, truth.shape)).astype(np.uint16)


Save = Callable[[str, int, Counts, bool], None]
"""Takes a kind, the number of a field, its pixels [(t) c (z) y x], and whether there is time."""


def _fill(save: Save, channels: int, rank: int) -> None:
    """Save observed, clean and mixed images of every field; the last is a series with one reference."""
    rng = np.random.default_rng(4)
    for number in range(FIELDS - 1):
        truth = _truth(rng, channels, rank)
        save("noisy", number, _noisy(rng, truth), False)
        save("clean", number, truth, False)
        save("mixed", number, truth.sum(0, dtype=np.uint16)[None], False)
    truth = _truth(rng, channels, rank)
    frames = np.stack([_noisy(rng, truth) for _ in range(_FRAMES)])
    save("noisy", FIELDS - 1, frames, True)
    save("clean", FIELDS - 1, truth, False)
    save("mixed", FIELDS - 1, np.stack([truth.sum(0, dtype=np.uint16)[None]] * _FRAMES), True)


def _in_one_file(path: Path, channels: Sequence[str], rank: int) -> None:
    """Write ``noisy_0.tif``, ``clean_0.tif`` and ``mixed_0.tif``, all channels in one file."""

    def save(kind: str, number: int, image: Counts, series: bool) -> None:
        own = np.moveaxis(image, -1 - rank, -3)  # ImageJ has z before channels
        write(path / f"{kind}_{number}.tif", own, f"{'T' * series}{'ZCYX' if rank == 3 else 'CYX'}")

    _fill(save, len(channels), rank)


def _in_folders(path: Path, channels: Sequence[str], rank: int) -> None:
    """Write ``first/noisy_0.tif``, ``first/clean_0.tif`` and ``mixed/0.tif``, a channel per file."""

    def save(kind: str, number: int, image: Counts, series: bool) -> None:
        axes = f"{'T' * series}{'ZYX'[3 - rank :]}"
        if kind == "mixed":
            write(path / "mixed" / f"{number}.tif", np.moveaxis(image, -1 - rank, 0)[0], axes)
            return
        for place, channel in enumerate(channels):
            own = np.moveaxis(image, -1 - rank, 0)[place]
            write(path / channel / f"{kind}_{number}.tif", own, axes)

    _fill(save, len(channels), rank)


_OBSERVED: Final = ("first/noisy_*.tif*", "second/noisy_*.tif*")
_CLEAN: Final = ("first/clean_*.tif*", "second/clean_*.tif*")

PARTNERS: Final[Mapping[str, Partners]] = {
    "folder": Partners(
        write=_in_one_file,
        options={"observed": "noisy_*.tif*", "clean": "clean_*.tif*", "mixed": "mixed_*.tif*"},
        mixed=True,
        fields=FIELDS - 1 + _FRAMES,
        twice=("clean", "mixed"),
    ),
    "channel_files": Partners(
        write=_in_folders,
        options={"observed": _OBSERVED, "clean": _CLEAN, "mixed": "mixed/*.tif*"},
        mixed=True,
        fields=FIELDS - 1 + _FRAMES,
        twice=("observed", "clean", "mixed"),
    ),
    "separate_channels": Partners(
        write=_in_folders,
        options={"observed": _OBSERVED, "clean": _CLEAN},
        fields=FIELDS - 1 + _FRAMES,
        twice=("clean",),
    ),
    "manifest": Partners(write=layouts.manifest, mixed=True, fields=FIELDS + _FRAMES, twice=()),
    "biosr": Partners(write=layouts.biosr, options={"level": 2}, fields=2, counted=False),
    "hagen": Partners(write=layouts.hagen),
    "w2s": Partners(write=layouts.w2s, counted=False),
}
"""Folders for data sets of denoisplit with two channels called first and second, by name."""
