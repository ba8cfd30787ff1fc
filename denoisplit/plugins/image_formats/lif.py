"""LIF files of Leica microscopes."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, final

import numpy as np

from denoisplit.core.errors import ImageError
from denoisplit.core.images.lazy import mapped
from denoisplit.core.images.physical import number, rounded
from denoisplit.core.images.physical_units import IN_MICRONS, IN_SECONDS, length_unit, time_unit
from denoisplit.plugins.image_formats._microscope import MicroscopeFormat
from denoisplit.plugins.image_formats._several import (
    COLOURS,
    NAMELESS,
    Named,
    Part,
    package,
)

_PACKAGE: Final = "liffile"
_LETTERS: Final = {"X": "x", "Y": "y", "Z": "z", "T": "t", "C": "c", "M": "s", "S": COLOURS}
_NUMBERS: Final = {"1": "x", "2": "y", "3": "z", "4": "t"}
_DESCRIPTION: Final = "./Data/Image/ImageDescription"


@final
class Lif(MicroscopeFormat):
    """LIF of LAS X, read with the package ``liffile``: ``pip install 'denoisplit[lif]'``.

    A file is a project of many images: ``project.lif/Series001`` and ``project.lif/Region 1/Position 2``
    select one. Without a name, or with that of a folder, all its images become an axis ``s`` if they are
    alike; so do the tiles of a scan.

    Source: Gohlke, liffile, Zenodo 2025.
    """

    suffixes = (".lif",)
    read_only = (".lif",)
    called = "LIF"

    @contextmanager
    def images(self, file: Path, where: str) -> Iterator[Sequence[Named]]:
        """Open a project and give its images, except fluorescence lifetimes, which are not intensities."""
        with package(_PACKAGE, "lif", where).LifFile(file) as opened:
            yield [(str(one.path), partial(_part, file, one)) for one in opened.images if not one.is_flim]


def _part(file: Path, found: Any) -> Part:
    where = f"{file}/{found.path}"
    memory = next((m.get("MemoryBlockID") for m in found.xml_element.findall("./Memory")), None)
    shape, dtype = tuple(int(side) for side in found.shape), np.dtype(found.dtype)
    if memory not in found.parent.memory_blocks:
        raise ImageError(
            f"{where}: the file is truncated (got {file.stat().st_size} bytes, its pixels are missing). "
            f"Copy it again."
        )
    block = found.memory_block
    needed = math.prod(shape) * dtype.itemsize
    if block.size < needed:
        raise ImageError(
            f"{where}: the image is incomplete (got {block.size} bytes of {needed}). Export it again."
        )
    steps = _steps(found)
    return Part(
        data=mapped(file, shape=shape, dtype=dtype, offset=block.offset, where=where),
        axes="".join(_LETTERS.get(letter, NAMELESS) for letter in found.dims),
        sizes={letter: step for letter, step in steps.items() if letter != "t"},
        channel_names=_names(found),
        interval=steps.get("t") if "T" in found.dims else None,
    )


def _steps(found: Any) -> dict[str, float]:
    """Return the steps between pixels in µm, and between time points in seconds, by axis.

    LIF gives the length of an axis from its first to its last element.
    """
    steps: dict[str, float] = {}
    for axis in found.xml_element.findall(f"{_DESCRIPTION}/Dimensions/DimensionDescription"):
        letter, count = _NUMBERS.get(axis.get("DimID", ""), ""), number(axis.get("NumberOfElements"))
        unit, length = axis.get("Unit", ""), number(axis.get("Length"))
        known = (
            IN_SECONDS.get(time_unit(unit) or "")
            if letter == "t"
            else IN_MICRONS.get(length_unit(unit) or "")
        )
        if letter and known and length and count and count > 1:
            steps[letter] = rounded(abs(length) * known / (count - 1))
    return steps


def _names(found: Any) -> tuple[str, ...]:
    """Return the dyes, else the look-up tables where they tell the channels apart."""
    channels = found.xml_element.findall(f"{_DESCRIPTION}/Channels/ChannelDescription")
    channels = sorted(channels, key=lambda channel: number(channel.get("BytesInc")) or 0)
    dyes = []
    for channel in channels:
        kept = {p.findtext("Key"): p.findtext("Value") for p in channel.findall("./ChannelProperty")}
        dyes.append((kept.get("DyeName") or "").removeprefix("Leica/"))
    colours = [channel.get("LUTName", "") for channel in channels]
    if all(dyes):
        return tuple(dyes)
    return tuple(colours) if len(set(colours)) == len(colours) > 1 else ()
