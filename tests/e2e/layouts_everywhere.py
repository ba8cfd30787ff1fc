"""The same fields in the layout of every data set, in any format."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from denoisplit.core.arrays import AnyArray
from denoisplit.core.images.bases import Image, ImageFormat, PixelSize, TimeInterval

CHANNELS: Final = ("filaments", "mitochondria")
SIZE: Final = PixelSize((0.25, 0.125))
INTERVAL: Final = TimeInterval(2.5, "s")

Pair = tuple[AnyArray, AnyArray]
"""Noisy and clean channels [c y x] of one field, whole counts."""

Save = Callable[[Path, AnyArray, str], Path]
"""Writes an image under a name without ending, with all that is known of it; gives the whole name."""


def saving(image_format: ImageFormat) -> tuple[str, Save]:
    """The ending of a format, and what writes it."""
    suffix = next(s for s in image_format.suffixes if s not in image_format.read_only)

    def save(stem: Path, pixels: AnyArray, axes: str) -> Path:
        path = stem.with_name(f"{stem.name}{suffix}")
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image(
            data=pixels,
            axes=axes,
            channel_names=CHANNELS if "c" in axes else (),
            pixel_size=SIZE,
            time_interval=INTERVAL if "t" in axes else None,
        )
        image_format.write(path, image)
        return path

    return suffix, save


def folder(root: Path, fields: Sequence[Pair], suffix: str, save: Save) -> dict[str, Any]:
    """One file per field."""
    for number, pair in enumerate(fields):
        for kind, pixels in zip(("noisy", "clean"), pair, strict=True):
            save(root / f"{number}_{kind}", pixels, "cyx")
    return {"use": "folder", "observed": f"*_noisy{suffix}", "clean": f"*_clean{suffix}"}


def _single(root: Path, fields: Sequence[Pair], suffix: str, save: Save) -> dict[str, Any]:
    for number, pair in enumerate(fields):
        for kind, pixels in zip(("noisy", "clean"), pair, strict=True):
            for name, channel in zip(CHANNELS, pixels, strict=True):
                save(root / name / f"{number}_{kind}", channel, "yx")
    patterns = {kind: [f"{name}/*_{kind}{suffix}" for name in CHANNELS] for kind in ("noisy", "clean")}
    return {"observed": patterns["noisy"], "clean": patterns["clean"]}


def channel_files(root: Path, fields: Sequence[Pair], suffix: str, save: Save) -> dict[str, Any]:
    """One file per field and channel."""
    return {"use": "channel_files", **_single(root, fields, suffix, save)}


def separate_channels(root: Path, fields: Sequence[Pair], suffix: str, save: Save) -> dict[str, Any]:
    """The same files, paired anew."""
    return {"use": "separate_channels", **_single(root, fields, suffix, save)}


def manifest(root: Path, fields: Sequence[Pair], suffix: str, save: Save) -> dict[str, Any]:
    """The same files in a table."""
    _single(root, fields, suffix, save)
    lines = [
        f"cell {number},{name},{name}/{number}_{word}{suffix},{kind}"
        for number in range(len(fields))
        for name in CHANNELS
        for kind, word in (("observed", "noisy"), ("clean", "clean"))
    ]
    (root / "manifest.csv").write_text("\n".join(["field,channel,file,kind", *lines]), encoding="utf-8")
    return {"use": "manifest"}


def biosr(root: Path, fields: Sequence[Pair], suffix: str, save: Save) -> dict[str, Any]:
    """A folder per cell with a single raw frame, which is its own mean."""
    for number, pair in enumerate(fields, 1):
        for kind, pixels in zip(("level_01", "gt"), pair, strict=True):
            for name, channel in zip(CHANNELS, pixels, strict=True):
                save(root / name / f"Cell_{number:03d}" / f"RawSIMData_{kind}", channel[None], "tyx")
    return {"use": "biosr", "level": 1, "pairing": "fixed"}


def hagen(root: Path, fields: Sequence[Pair], suffix: str, save: Save) -> dict[str, Any]:
    """A stack of all fields per channel."""
    for place, kind in enumerate(("lowsnr", "highsnr")):
        for number, name in enumerate(CHANNELS):
            stack = np.stack([pair[place][number] for pair in fields])
            save(root / f"{name}-60x-noise2-{kind}", stack, "tyx")
    return {"use": "hagen", "pairing": "fixed"}


def w2s(root: Path, fields: Sequence[Pair], suffix: str, save: Save) -> dict[str, Any]:
    """A stack of two exposures per field and channel, of which the second is the reference."""
    for number, pair in enumerate(fields, 1):
        for channel in range(len(CHANNELS)):
            stack = np.stack([pixels[channel] for pixels in pair])
            save(root / f"Image{number:03d}" / f"wf_channel{channel}", stack, "tyx")
    return {"use": "w2s"}


Layout = Callable[[Path, Sequence[Pair], str, Save], dict[str, Any]]
"""Writes fields into a folder; gives the data set of a spec, but for its path."""

LAYOUTS: Final[Mapping[str, Layout]] = {
    made.__name__: made for made in (folder, channel_files, separate_channels, manifest, biosr, hagen, w2s)
}
