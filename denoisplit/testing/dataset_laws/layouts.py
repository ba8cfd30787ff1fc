"""Small folders in the layouts that data sets read."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt
import tifffile

FIELDS: Final = 6
EXPOSURES: Final = 40
"""Number of exposures of every field of a layout that has many."""

SPLITS: Final = {"train": 6, "test": 2}
"""Number of fields by the word in the table."""

_SIDES: Final = (24, 20)

SIZE: Final = (0.5, 0.2, 0.1)
"""Sizes of a pixel along z, y and x, µm."""

Writer = Callable[[Path, Sequence[str], int], None]
"""Function that fills a folder for these channels, with images of this many spatial axes."""


BRIGHTER: Final = 3.0
"""Factor between the brightness of a channel and the one before it."""


def _truth(
    rng: np.random.Generator, shape: tuple[int, ...], channel: int = 0, axis: int | None = None
) -> npt.NDArray[np.float32]:
    """Return clean pixels of a channel, or of all channels along an axis."""
    image = rng.gamma(3, 60, shape)
    if axis is None:
        return (image * BRIGHTER**channel).astype(np.float32)
    each = BRIGHTER ** np.arange(shape[axis])
    return (image * each.reshape(-1, *(1,) * (len(shape) - 1 - axis))).astype(np.float32)


def _noisy(rng: np.random.Generator, truth: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return (truth + rng.normal(0, 15, truth.shape)).astype(np.float32)


def write(path: Path, image: npt.NDArray[Any], axes: str) -> None:
    """Write an image for ImageJ, with pixels of ``SIZE``."""
    depth, height, width = SIZE
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(
        path,
        image,
        imagej=True,
        metadata={"axes": axes, "unit": "um", "spacing": depth},
        resolution=(1 / width, 1 / height),
    )


def folder(path: Path, channels: Sequence[str], rank: int) -> None:
    """Write ``field_0.tif`` and so on, all channels in one file."""
    rng = np.random.default_rng(0)
    for number in range(FIELDS):
        shape = (*(3,) * (rank - 2), len(channels), *_SIDES)
        write(path / f"field_{number}.tif", _truth(rng, shape, axis=rank - 2), "ZCYX" if rank == 3 else "CYX")


def channel_folders(path: Path, channels: Sequence[str], rank: int) -> None:
    """Write ``actin/field_0.tif`` and so on, a folder per channel; all but the first have one image more."""
    rng = np.random.default_rng(0)
    for place, channel in enumerate(channels):
        for number in range(FIELDS + (place > 0)):
            image = _truth(rng, (*(3,) * (rank - 2), *_SIDES), place)
            write(path / channel / f"field_{number}.tif", image, "ZYX"[3 - rank :])


def manifest(path: Path, channels: Sequence[str], rank: int) -> None:
    """Write single-channel files, clean references and a table; the last field is a series of exposures.

    Clean references are in a folder, with a path as Windows has it.
    """
    rng, letters = np.random.default_rng(0), "ZYX"[3 - rank :]
    lines = ["field,channel,file,kind,split"]
    for number in range(FIELDS):
        for place, channel in enumerate(channels):
            truth = _truth(rng, (*(3,) * (rank - 2), *_SIDES), place)
            for kind, image in (("observed", _noisy(rng, truth)), ("clean", truth)):
                name, inside = f"{channel}_{number}_{kind}.tif", "clean\\" if kind == "clean" else ""
                write(path / inside.rstrip("\\") / name, image, letters)
                split = "train" if number % 3 else "test"
                lines.append(f"cell {number},{channel},{inside}{name},{kind},{split}")
    (path / "fewer.csv").write_text("\n".join(lines[: len(lines) // 2 + 1]) + "\n", encoding="utf-8")
    series = []
    for place, channel in enumerate(channels):
        truth = _truth(rng, (*(3,) * (rank - 2), *_SIDES), place)
        series.append(_noisy(rng, np.stack([truth, truth])))
        write(path / f"{channel}_series.tif", series[-1], f"T{letters}")
        write(path / f"{channel}_truth.tif", truth, letters)
        lines.append(f"series,{channel},{channel}_series.tif,observed,train")
        lines.append(f"series,{channel},{channel}_truth.tif,clean,train")
    write(path / "mixed_series.tif", np.sum(series, axis=0), f"T{letters}")
    lines.append("series,,mixed_series.tif,mixed,train")
    (path / "manifest.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def manifest_of_singles(path: Path, channels: Sequence[str], rank: int) -> None:
    """Write a table of fields with one channel each; all channels but the first have one field more."""
    rng, letters = np.random.default_rng(0), "ZYX"[3 - rank :]
    lines = ["field;channel;file"]
    for place, channel in enumerate(channels):
        for number in range(FIELDS + (place > 0)):
            write(
                path / f"{channel}_{number}.tif", _truth(rng, (*(3,) * (rank - 2), *_SIDES), place), letters
            )
            lines.append(f"{channel} {number};{channel};{channel}_{number}.tif")
    (path / "manifest.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def biosr(path: Path, channels: Sequence[str], rank: int) -> None:
    """Write ``actin/GT_all.tif`` with the images of all cells, and two cells with their raw frames.

    The cells of the second channel are in folders like those of ER.
    """
    del rank
    rng = np.random.default_rng(0)
    for place, channel in enumerate(channels):
        write(path / channel / "GT_all.tif", _truth(rng, (FIELDS, *_SIDES), place), "TYX")
        for number in (1, 2):
            truth = _truth(rng, (9, *_SIDES), place)
            cell = path / channel / f"Cell_{number:03d}"
            if place != 1:
                write(cell / "RawSIMData_gt.tif", truth, "TYX")
            for level in (1, 2):
                if place == 1:
                    write(cell / "RawGTSIMData" / f"RawGTSIMData_level_{level:02d}.tif", truth, "TYX")
                raw = cell / "RawSIMData" if place == 1 else cell
                write(raw / f"RawSIMData_level_{level:02d}.tif", _noisy(rng, truth), "TYX")


def hagen(path: Path, channels: Sequence[str], rank: int) -> None:
    """Write ``actin-60x-noise2-lowsnr.tif`` and ``...-highsnr.tif``; all but the first with an image more."""
    del rank
    series_of = {"60x-noise2": np.random.default_rng(0), "60x-noise1": np.random.default_rng(1)}
    for place, channel in enumerate(channels):
        for series, rng in series_of.items():
            truth = _truth(rng, (FIELDS + (place > 0), *_SIDES), place)
            write(path / f"{channel}-{series}-highsnr.tif", truth, "TYX")
            write(path / f"{channel}-{series}-lowsnr.tif", _noisy(rng, truth), "TYX")


def w2s(path: Path, channels: Sequence[str], rank: int) -> None:
    """Write ``Image001/wf_channel0.tif`` and so on, a stack of exposures per channel, and another folder."""
    del rank
    (path / "Images").mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for number in range(79, 79 + FIELDS):
        for channel in range(len(channels)):
            truth = np.broadcast_to(_truth(rng, _SIDES, channel), (EXPOSURES, *_SIDES))
            write(path / f"Image{number:03d}" / f"wf_channel{channel}.tif", _noisy(rng, truth), "TYX")


def partners(path: Path, channels: Sequence[str], rank: int) -> None:
    """Write folders of clean references and recorded mixed images for the first two layouts."""
    rng, letters = np.random.default_rng(1), "ZYX"[3 - rank :]
    for number in range(FIELDS + 1):
        truth = [_truth(rng, (*(3,) * (rank - 2), *_SIDES), place) for place in range(len(channels))]
        for channel, image in zip(channels, truth, strict=True):
            write(path / "clean" / channel / f"field_{number}.tif", image, letters)
        write(path / "mixed" / f"field_{number}.tif", np.sum(truth, axis=0), letters)
        write(path / "clean" / f"field_{number}.tif", np.stack(truth, axis=rank - 2), f"{letters[:-2]}CYX")


_CHANNELS: Final = ("first/*.tif", "second/*.tif")
_CLEAN: Final = ("clean/first/*.tif", "clean/second/*.tif")
_SWAPPED: Final = ("second", "first")

WORDS: Final[Mapping[str, Mapping[str, tuple[Any, ...]]]] = {
    "folder": {
        "observed": ("*.tif*", "*_[1-4].tif"),
        "clean": ("", "clean/*.tif*"),
        "mixed": ("", "mixed/*.tif*"),
        "axes": ("", "zcxy"),
        "channel_index": ((), (1, 0)),
    },
    "channel_files": {
        "observed": ((), _CHANNELS[::-1]),
        "clean": ((), _CLEAN),
        "mixed": ("", "mixed/*.tif"),
        "axes": ("", "zxy"),
    },
    "separate_channels": {"observed": ((), _CHANNELS[::-1]), "clean": ((), _CLEAN), "axes": ("", "zxy")},
    "manifest": {"table": ("manifest.csv", "fewer.csv"), "split": ("", "train"), "axes": ("", "zxy")},
    "biosr": {"structures": ((), _SWAPPED)},
    "hagen": {"structures": ((), _SWAPPED), "series": ("60x-noise2", "60x-noise1")},
    "w2s": {"channel_index": ((), (1, 0))},
}
"""Values of options that name files, for these layouts and two channels called first and second."""

LAYOUTS: Final[Mapping[str, Writer]] = {
    "channel_files": channel_folders,
    "separate_channels": channel_folders,
    "manifest": manifest,
    "biosr": biosr,
    "hagen": hagen,
    "w2s": w2s,
}
"""Writer of the layout of each data set of denoisplit, by name; the others read ``folder``."""

ONE_EACH: Final[Mapping[str, Writer]] = {"manifest": manifest_of_singles}
"""Writer of a second layout, of fields with one channel each."""


@attrs.frozen(kw_only=True)
class Container:
    """Files that hold several images.

    Attributes:
        suffix: suffix of the files.
        places: names of images in each of them, the one to be read first; empty for the whole file.
        options: options that name the image, by data set.
    """

    suffix: str
    places: tuple[str, ...]
    options: Mapping[str, Mapping[str, Any]]


def _patterns(pattern: str) -> Mapping[str, Mapping[str, Any]]:
    each = ("first/", "second/")
    return {
        "folder": {"observed": pattern},
        **{
            name: {"observed": tuple(f"{folder}{pattern}" for folder in each)}
            for name in ("channel_files", "separate_channels")
        },
    }


INSIDE: Final[Mapping[str, Container]] = {
    "slash": Container(suffix=".h5", places=("raw", "other"), options=_patterns("*.h5/raw")),
    "colons": Container(suffix=".h5", places=("raw", "other"), options=_patterns("*.h5::raw")),
    "folders": Container(suffix=".zarr", places=("",), options=_patterns("**/*")),
}
"""Files with several images, for data sets of denoisplit."""

FEW_PIXELS: Final = frozenset({"folder", "channel_files"})
"""Layouts that may have large images without taking time."""

LEFT_OUT: Final = frozenset({"channel_files", "separate_channels", "hagen"})
"""Layouts in which images of some channels have no partner in the others."""

PLANES_ONLY: Final = frozenset({"biosr", "hagen", "w2s"})
"""Layouts of images without depth."""

SEPARATE: Final = frozenset({"separate_channels", "biosr", "hagen"})
"""Layouts of images of one channel each, all of other places."""

IDLE: Final[Mapping[str, frozenset[str]]] = {"manifest": frozenset({"seed"})}
"""Options that have no effect on these layouts: no table here leaves pairs to chance."""
