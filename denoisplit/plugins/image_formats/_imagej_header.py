"""ImageJ's description of a hyperstack: axes, sizes, labels, colours and ranges of display."""

import math
import struct
from pathlib import Path
from typing import Any, Final, final

import numpy as np
import tifffile

from denoisplit.core.arrays import AnyArray
from denoisplit.core.images.axes import sizes_by_axis
from denoisplit.core.images.bases import ImageLayout, TimeInterval
from denoisplit.core.images.layout import channel_count, remark_text
from denoisplit.core.images.writing import Put
from denoisplit.plugins.image_formats._channel_ranges import ChannelRanges
from denoisplit.plugins.image_formats._tiff_pages import NOTE, REMARK
from denoisplit.plugins.image_formats._tiff_pixels import first_pixel

_FINEST: Final = 1e-6
"""The smallest resolution that a ratio of two 32-bit numbers represents well."""

_COLOURS: Final = ((0, 1, 0), (1, 0, 1), (0, 1, 1), (1, 1, 0), (1, 0, 0), (0, 0, 1), (1, 1, 1))
"""Green, magenta, cyan, yellow, red, blue, gray; most colour-blind eyes tell the first two apart."""

_MERGED: Final = 3
"""Up to so many channels are shown on top of each other; more, such as stds beside means, one by one."""

_UNKNOWN: Final = -1.25e-31
"""Stands for a bound of a range until all pixels are written."""

_TEXT: Final = "{:+.16e}"


def begin_hyperstack(
    path: Path, layout: ImageLayout, axes: str, shape: tuple[int, ...], *, truncated: bool
) -> tuple[int, "Ranges"]:
    """Write everything but the pixels.

    Args:
        path: the file.
        layout: layout of the image.
        axes: axes in the order of the file, of ``tzcyx``.
        shape: shape in this order.
        truncated: whether the list of pages has only the first plane, as in files of ImageJ above 4 GiB.

    Returns:
        The position of the first pixel, and the ranges of display, to be written with the pixels.
    """
    place = tifffile.imwrite(
        path,
        # With an axis for samples, or tifffile takes a width of 1 for one.
        shape=(*shape, 1),
        dtype=layout.dtype,
        imagej=True,
        photometric="minisblack",
        metadata={"axes": f"{axes.upper()}S"} | _said(layout, shape),
        resolution=resolution(layout),
        byteorder="<",
        returnoffset=True,
        truncate=truncated,
    )
    offset = first_pixel(place)
    return offset, Ranges(path, offset, channel_count(layout.axes, layout.shape), axes)


@final
class Ranges:
    """Smallest and largest number of every channel, between which ImageJ shows it.

    Without them, ImageJ shows all channels in the range of the first plane of the first one.

    Args:
        path: file with a description in which the ranges are unknown.
        end: number of bytes before the first pixel.
        channels: number of channels.
        axes: axes of the regions.
    """

    def __init__(self, path: Path, end: int, channels: int, axes: str) -> None:
        self._path, self._end = path, end
        self._ranges = ChannelRanges(channels, axes)

    def watching(self, put: Put) -> Put:
        """Return ``put`` so that every region that it writes is taken into account."""
        return self._ranges.watching(put)

    def write(self) -> None:
        """Put the ranges into the description."""
        bounds = self._ranges.bounds()
        numbers = [number for pair in bounds for number in pair]
        with self._path.open("r+b") as file:
            header = file.read(self._end)
            for unknown, known in (
                (_doubles([_UNKNOWN]), _doubles(numbers)),
                (_shown(_UNKNOWN, _UNKNOWN), _shown(*bounds[0])),
            ):
                before, there, _ = header.partition(unknown)
                if there:
                    file.seek(len(before))
                    file.write(known)


def _doubles(numbers: list[float]) -> bytes:
    return struct.pack(f"<{len(numbers)}d", *numbers)


def _shown(low: float, high: float) -> bytes:
    """Return the lines of the channel that is shown first, always of the same length."""
    return f"min={_TEXT.format(low)}\nmax={_TEXT.format(high)}\n".encode("ascii")


def resolution(layout: ImageLayout) -> tuple[float, float] | None:
    """Return pixels per unit along x and y; None without a pixel size, and 0 for an axis without one."""
    if layout.pixel_size is None:
        return None
    size = sizes_by_axis(layout)
    return _per_unit(size.get("x")), _per_unit(size.get("y"))


def _per_unit(size: float | None) -> float:
    """Return 0, meaning none, where the ratio of a TIFF tag cannot represent it."""
    return 1 / size if size is not None and _FINEST <= size <= 1 / _FINEST else 0.0


def plain_words(layout: ImageLayout, shape: tuple[int, ...]) -> dict[str, Any]:
    """Return the words of ImageJ that tifffile's own description takes, too."""
    channels = channel_count(layout.axes, layout.shape)
    said: dict[str, Any] = {NOTE: layout.axes, REMARK: remark_text(layout)}
    if layout.channel_names:
        said["Labels"] = list(layout.channel_names) * (math.prod(shape[:-2]) // channels)
    if layout.pixel_size is not None:
        size = sizes_by_axis(layout)
        said["unit"] = escaped(layout.pixel_size.unit)
        said |= {"spacing": size["z"]} if "z" in size else {}
    return said | _imagej_time(layout.time_interval)


def _said(layout: ImageLayout, shape: tuple[int, ...]) -> dict[str, Any]:
    channels = channel_count(layout.axes, layout.shape)
    said = plain_words(layout, shape) | _calibration(layout)
    said |= {"min": _TEXT.format(_UNKNOWN), "max": _TEXT.format(_UNKNOWN)}
    if channels > 1:
        said["mode"] = "composite" if channels <= _MERGED else "grayscale"
        said["Ranges"] = (_UNKNOWN,) * (2 * channels)
        said["LUTs"] = [_colours(_COLOURS[min(i, len(_COLOURS) - 1)]) for i in range(channels)]
    return said


def _colours(colour: tuple[int, ...]) -> AnyArray:
    """Return a table of colours [rgb 256], from black to ``colour``."""
    return np.multiply.outer(np.array(colour, np.uint8), np.arange(256, dtype=np.uint8))


def _calibration(layout: ImageLayout) -> dict[str, Any]:
    """Return ImageJ's conversion to counts, one straight line for all channels; empty if there is none."""
    scale = layout.intensity_scale
    if scale is None or layout.dtype.kind != "u" or len({*scale.factor}) * len({*scale.offset}) > 1:
        return {}
    return {"cf": 0, "c0": scale.offset[0], "c1": scale.factor[0], "vunit": "counts"}


def escaped(text: str) -> str:
    """Escape text to ASCII, as ImageJ writes units."""
    return "".join(sign if sign.isascii() else f"\\u{ord(sign):04X}" for sign in text)


def _imagej_time(interval: TimeInterval | None) -> dict[str, Any]:
    """Return ImageJ's entries for the time between two frames."""
    if interval is None:
        return {}
    return {"finterval": interval.value, "tunit": escaped("sec" if interval.unit == "s" else interval.unit)}
