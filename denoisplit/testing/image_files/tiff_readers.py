"""Checks with tifffile of what denoisplit writes as TIFF: hyperstacks of ImageJ, OME-TIFF, large files."""

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
import tifffile

from denoisplit.core.arrays import AnyArray
from denoisplit.core.images.bases import Image, ImageLayout, PixelSize, TimeInterval
from denoisplit.testing.image_files.written_files import (
    WRITTEN,
    LargeFile,
    Reader,
    assert_found,
    assert_means,
    drawn,
    halved,
)

_MERGED: Final = 3
"""So many channels are shown on top of each other."""

_DISTINCT: Final = 7
"""So many channels have a colour of their own; further ones are gray."""

_SHADES: Final = np.arange(256)


def _imagej(path: Path, image: Image, words: dict[str, Any]) -> None:
    sides = {"t": 1, "z": 1, "c": 1} | dict(zip(image.axes, image.pixels.shape, strict=True))
    channels = sides["c"]
    with tifffile.TiffFile(path) as tif:
        said, page = tif.imagej_metadata or {}, tif.pages.first
        stored = image.pixels.swapaxes(1, 2) if image.axes == "tczyx" else image.pixels
        assert_found(tif.asarray(), stored, "pixels")
        counts = tuple(said.get(key, 1) for key in ("frames", "slices", "channels"))
        assert_found(counts, (sides["t"], sides["z"], channels), "numbers of planes")
        assert len(tif.pages) == math.prod(counts), "not all planes are listed"
        if image.channel_names:
            repeated = list(image.channel_names) * (sides["t"] * sides["z"])
            assert_found(said["Labels"], repeated, "labels")
        found = {key: said.get(key) for key in words}
        assert found == words, f"another program finds the words {found}"
        given = (
            dict(zip(image.axes[-2:], image.pixel_size.size[-2:], strict=True)) if image.pixel_size else {}
        )
        for letter, size in given.items():
            above, below = page.tags[f"{letter.upper()}Resolution"].value
            represented = size is not None and 1e-6 <= size <= 1e6
            assert (below / above if above else None) == (size if represented else None), "sizes are others"
        assert tif.byteorder == "<", "the bytes are in another order"
        at = image.axes.find("c")
        _shown(said, [stored] if at < 0 else list(np.moveaxis(image.pixels, at, 0)))


def _shown(said: dict[str, Any], channels: Sequence[AnyArray]) -> None:
    """Check how ImageJ shows channels: from their smallest to their largest number, in other colours."""
    ranges = [_range(pixels[np.isfinite(pixels)]) for pixels in channels]
    assert_found((said["min"], said["max"]), ranges[0], "ranges of display")
    if len(channels) == 1:
        return
    assert_found(said["Ranges"], np.ravel(ranges), "ranges of display")
    assert said["mode"] == ("composite" if len(channels) <= _MERGED else "grayscale"), f"{said['mode']}"
    colours = [tuple(int(shade) for shade in table[:, -1]) for table in said["LUTs"]]
    assert len(colours) == len(channels), "a channel has no colour"
    assert len(set(colours)) == min(len(channels), _DISTINCT), f"channels have the colours {colours}"
    assert all(colour == (255, 255, 255) for colour in colours[_DISTINCT - 1 :]), "further ones are not gray"
    for table, colour in zip(said["LUTs"], colours, strict=True):
        assert_found(255 * table.astype(int), np.multiply.outer(colour, _SHADES), "shades")


def _range(pixels: AnyArray) -> tuple[float, float]:
    if not pixels.size:
        return 0.0, 1.0
    low, high = float(pixels.min()), float(pixels.max())
    return low, high if high > low else low + 1


def _ome_tiff(path: Path, image: Image) -> None:
    with tifffile.TiffFile(path) as tif:
        assert_found(tif.series[0].asarray(), image.pixels.swapaxes(1, 2), "pixels")
        said = tifffile.xml2dict(tif.ome_metadata or "")["OME"]["Image"]["Pixels"]
        assert tif.pages.first.compression == tifffile.COMPRESSION.NONE, "it is compressed"
        assert not tif.is_bigtiff, "it has large positions"
    assert_found([said[f"PhysicalSize{a}"] for a in "ZYX"], (0.5, 0.25, 0.125), "sizes")
    assert_found([said[f"PhysicalSize{a}Unit"] for a in "ZYX"], ["nm"] * 3, "units")
    assert_found([channel["Name"] for channel in said["Channel"]], image.channel_names, "names")
    assert (said["TimeIncrement"], said["TimeIncrementUnit"]) == (2.5, "s"), "another time interval is found"


def _pyramid(path: Path, image: Image, shapes: tuple[tuple[int, ...], ...]) -> None:
    with tifffile.TiffFile(path) as tif:
        found = tif.series[0].levels
        levels = [level.asarray() for level in found]
        assert [level.keyframe.is_reduced for level in found] == [0, *[1] * (len(found) - 1)], "no copies"
        assert tif.pages.first.compression != tifffile.COMPRESSION.NONE, "it is not compressed"
        assert tif.pages.first.is_tiled, "it has no tiles"
        assert len(tif.pages.first.subifds or ()) == len(found) - 1, "copies are listed that are not there"
    assert_found(levels[0], image.pixels, "pixels")
    assert tuple(one.shape for one in levels[1:]) == shapes, "smaller copies have other sides"
    expected = image.pixels.astype(np.float64)
    for level in levels[1:]:
        expected = halved(expected)
        assert_means(level, expected)


def _thin(path: Path, image: Image) -> None:
    with tifffile.TiffFile(path) as tif:
        levels = [level.asarray() for level in tif.series[0].levels]
    expected = [image.pixels.mean(-2, keepdims=True)]
    for _ in range(2):
        even = expected[-1][..., : 2 * (expected[-1].shape[-1] // 2)]
        expected.append(even.reshape(*even.shape[:-1], -1, 2).mean(-1))
    assert [one.shape for one in levels] == [(2, 3, 13), (2, 1, 6), (2, 1, 3)], "copies have other sides"
    for level, means in zip(levels[1:], expected[1:], strict=True):
        assert_means(level, means)


def _uneven() -> Image:
    """Eight channels: of other ranges, constant, not finite, and in part."""
    image = drawn((8, 6, 5), "cyx", "float32", size=(2e6, 1e-7), channel_names=tuple("abcdefgh"))
    pixels = image.pixels * np.arange(1, 9).reshape(-1, 1, 1) - 2
    pixels[1], pixels[2], pixels[3, 0, :2] = 5, np.nan, (np.inf, -np.inf)
    return attrs.evolve(image, data=pixels.astype(np.float32))


def _scaled(factor: tuple[float, ...], offset: tuple[float, ...], kind: str = "uint16") -> Image:
    return drawn((len(factor), 6, 5), "cyx", kind, scale=(factor, offset))


_MICRONS: Final = r"\u00B5m"
_UNCALIBRATED: Final = {"cf": None, "c0": None, "c1": None, "vunit": None}
_IMAGEJ: Final[tuple[tuple[Image, dict[str, Any]], ...]] = (
    (WRITTEN, {"unit": _MICRONS, "spacing": 0.5, "finterval": 2.5, "tunit": "sec"}),
    (_uneven(), {"unit": _MICRONS, "spacing": None, "finterval": None, "tunit": None} | _UNCALIBRATED),
    (
        drawn((3, 6, 5), "tyx", "uint8", size=(None, 0.2), unit="nm", time_interval=TimeInterval(3, "min")),
        {"unit": "nm", "finterval": 3, "tunit": "min"} | _UNCALIBRATED,
    ),
    (drawn((6, 5), "yx", scale=((0.5,), (3.0,))), {"cf": 0, "c0": 3.0, "c1": 0.5, "vunit": "counts"}),
    (_scaled((2.0, 2.0), (1.0, 1.0)), {"cf": 0, "c0": 1.0, "c1": 2.0}),
    *(
        (image, _UNCALIBRATED)
        for image in (
            _scaled((2.0, 2.0), (1.0, 5.0)),
            _scaled((2.0, 3.0), (1.0, 1.0)),
            _scaled((2.0, 3.0, 4.0), (1.0, 5.0, 7.0)),
            _scaled((2.0, 2.0), (1.0, 1.0), "float32"),
        )
    ),
)
"""Images, and the words of ImageJ that describe them."""

_PLANES: Final = drawn((2, 540, 620), "tyx")
_THIN: Final = attrs.evolve(_PLANES, data=_PLANES.pixels[:, :3, :13])
_SHADED: Final = drawn((2, 40, 30), "tyx", "float32")

IMAGEJ: Final = tuple(
    Reader(suffix=".tif", image=image, check=partial(_imagej, words=words)) for image, words in _IMAGEJ
)

OME_TIFF: Final = (
    Reader(
        suffix=".ome.tif",
        image=attrs.evolve(WRITTEN, pixel_size=PixelSize((0.5, 0.25, 0.125), "nm")),
        check=_ome_tiff,
    ),
    Reader(
        suffix=".ome.tif",
        image=_PLANES,
        options={"compression": "zstd", "pyramid": 2},
        check=partial(_pyramid, shapes=((2, 270, 310), (2, 135, 155))),
    ),
    Reader(
        suffix=".ome.tif",
        image=_SHADED,
        options={"compression": "zlib", "pyramid": 1},
        check=partial(_pyramid, shapes=((2, 20, 15),)),
    ),
    Reader(suffix=".ome.tif", image=_THIN, options={"pyramid": 2}, check=_thin),
)


def _hyperstack(path: Path, shape: tuple[int, ...]) -> None:
    """Check a stack of which the first plane alone is listed, as in large files of ImageJ."""
    with tifffile.TiffFile(path) as tif:
        assert tif.is_imagej, "it is no hyperstack"
        assert not tif.is_bigtiff, "ImageJ opens no BigTIFF"
        assert len(tif.pages) == 1, "so many planes do not fit into the list"
        assert tif.series[0].shape == shape, f"another program finds the shape {tif.series[0].shape}"


def _big(path: Path, shape: tuple[int, ...]) -> None:
    with tifffile.TiffFile(path) as tif:
        assert tif.is_bigtiff, "positions do not fit"
        assert tif.series[0].shape == shape, f"another program finds the shape {tif.series[0].shape}"


def _large(suffix: str, shape: tuple[int, ...], check: Any, kind: str = "uint16") -> LargeFile:
    layout = ImageLayout(shape=shape, dtype=np.dtype(kind), axes="tyx")
    return LargeFile(suffix=suffix, layout=layout, check=partial(check, shape=shape))


LARGE_IMAGEJ: Final = (
    _large(".tif", (4094, 512, 1024), _hyperstack),  # the pixels alone would fit
    _large(".tif", (2, 33_000, 33_000), _big, "float32"),
)
LARGE_OME_TIFF: Final = (_large(".ome.tif", (3, 32_768, 32_768), _big),)
