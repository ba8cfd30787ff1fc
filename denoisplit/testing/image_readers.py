"""Checks with other programs of the files that denoisplit's image formats write."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import attrs
import h5py
import mrcfile
import numpy as np
import tifffile
import zarr

from denoisplit.core.images.bases import Image, PixelSize, TimeInterval

WRITTEN: Final = Image(
    data=np.random.default_rng(0).integers(0, 250, (2, 3, 2, 9, 8)).astype(np.uint16),
    axes="tczyx",
    channel_names=("actin", "tubulin", "dna"),
    pixel_size=PixelSize((0.5, 0.25, 0.125)),
    time_interval=TimeInterval(2.5, "s"),
)
_WIDE: Final = Image(
    data=np.random.default_rng(1).integers(0, 999, (2, 1100, 1030)).astype(np.uint16),
    axes="cyx",
    channel_names=("a", "b"),
    pixel_size=PixelSize((0.2, 0.1)),
)
_HALF: Final = attrs.evolve(_WIDE, data=_WIDE.pixels[:, :550, :530])
_SMALL: Final = attrs.evolve(_WIDE, data=_WIDE.pixels[:, :20, :30])
_PLANES: Final = Image(
    data=np.random.default_rng(2).integers(0, 999, (2, 300, 420)).astype(np.uint16), axes="tyx"
)
_THIN: Final = Image(data=_PLANES.pixels[:, :3, :13], axes="tyx")
_VOLUME: Final = Image(data=WRITTEN.pixels[0, 0], axes="zyx", pixel_size=WRITTEN.pixel_size)


@attrs.frozen(kw_only=True)
class Reader:
    """Another program.

    Attributes:
        suffix: suffix of the file.
        image: the image to write.
        options: options of the format.
        check: function that checks the contents of the file.
    """

    suffix: str
    image: Image = WRITTEN
    options: Mapping[str, Any] = attrs.field(factory=dict)
    check: Callable[[Path, Image], None]


def _same(found: Any, expected: Any, what: str) -> None:
    assert np.array_equal(np.asarray(found), np.asarray(expected)), f"another program finds other {what}"


def _halved(pixels: Any) -> Any:
    """Average 2 x 2 pixels."""
    height, width = (side // 2 for side in pixels.shape[-2:])
    even = pixels[..., : 2 * height, : 2 * width]
    return even.reshape(*pixels.shape[:-2], height, 2, width, 2).mean((-3, -1))


def _imagej(path: Path, image: Image) -> None:
    with tifffile.TiffFile(path) as tif:
        said, page = tif.imagej_metadata or {}, tif.pages.first
        _same(tif.asarray(), image.pixels.swapaxes(1, 2), "pixels")
        counts = tuple(said.get(key) for key in ("frames", "slices", "channels"))
        _same(counts, (2, 2, 3), "numbers of planes")
        _same(said["Labels"], list(image.channel_names) * 4, "labels")
        _same((said["unit"], said["spacing"], said["finterval"], said["mode"]),
              (r"\u00B5m", 0.5, 2.5, "composite"), "words")  # fmt: skip
        sides = [page.tags[f"{a}Resolution"].value for a in "YX"]
        _same([below / above for above, below in sides], (0.25, 0.125), "sizes")
        assert tif.byteorder == "<", "the bytes are in another order"


def _ome_tiff(path: Path, image: Image) -> None:
    with tifffile.TiffFile(path) as tif:
        _same(tif.series[0].asarray(), image.pixels.swapaxes(1, 2), "pixels")
        said = tifffile.xml2dict(tif.ome_metadata or "")["OME"]["Image"]["Pixels"]
        assert tif.pages.first.compression == tifffile.COMPRESSION.NONE, "it is compressed"
    _same([said[f"PhysicalSize{a}"] for a in "ZYX"], (0.5, 0.25, 0.125), "sizes")
    _same([channel["Name"] for channel in said["Channel"]], image.channel_names, "names")
    assert (said["TimeIncrement"], said["TimeIncrementUnit"]) == (2.5, "s"), "another time interval is found"


def _pyramid(path: Path, image: Image) -> None:
    with tifffile.TiffFile(path) as tif:
        levels = [level.asarray() for level in tif.series[0].levels]
        assert tif.pages.first.compression != tifffile.COMPRESSION.NONE, "it is not compressed"
        assert tif.pages.first.is_tiled, "it has no tiles"
    _same(levels[0], image.pixels, "pixels")
    assert [one.shape for one in levels[1:]] == [(2, 150, 210), (2, 75, 105)], (
        "smaller copies have other sides"
    )
    expected = image.pixels.astype(np.float64)
    for level in levels[1:]:
        expected = _halved(expected)
        assert np.abs(level - expected).max() <= 0.5, "smaller copies are no means"


def _thin(path: Path, image: Image) -> None:
    with tifffile.TiffFile(path) as tif:
        levels = [level.asarray() for level in tif.series[0].levels]
    expected = [image.pixels.mean(-2, keepdims=True)]
    for _ in range(2):
        even = expected[-1][..., : 2 * (expected[-1].shape[-1] // 2)]
        expected.append(even.reshape(*even.shape[:-1], -1, 2).mean(-1))
    assert [one.shape for one in levels] == [(2, 3, 13), (2, 1, 6), (2, 1, 3)], "copies have other sides"
    for level, means in zip(levels[1:], expected[1:], strict=True):
        assert np.abs(level - means).max() <= 0.5, "smaller copies are no means"


def _hdf5(path: Path, image: Image) -> None:
    with h5py.File(path) as file:
        data = file["data"]
        _same(data[...], image.pixels, "pixels")
        axes = json.loads(data.attrs["axistags"])["axes"]
        found = [(axis["key"], axis["typeFlags"], axis["resolution"]) for axis in axes]
        expected = [("t", 8, 0), ("c", 1, 0), ("z", 2, 0.5), ("y", 2, 0.25), ("x", 2, 0.125)]
        assert found == expected, f"another program finds the axes {found}"
        _same([dimension.label for dimension in data.dims], list(image.axes), "dimensions")
        _same(data.attrs["element_size_um"], (0.5, 0.25, 0.125), "sizes")
        _same(data.attrs["channel_names"], image.channel_names, "names")


def _zarr(path: Path, image: Image) -> None:
    array: Any = zarr.open_array(str(path), mode="r")
    _same(array[...], image.pixels, "pixels")
    _same(array.metadata.dimension_names, list(image.axes), "dimensions")
    _same(array.attrs["channel_names"], image.channel_names, "names")


def _ome_zarr(path: Path, image: Image) -> None:
    group: Any = zarr.open_group(str(path), mode="r")
    attributes: Any = dict(group.attrs)
    said = attributes.get("ome", attributes)
    (scales,) = said["multiscales"]
    assert [axis["name"] for axis in scales["axes"]] == list(image.axes), "other axes are found"
    level, size = image.pixels.astype(np.float64), np.array([1, 0.2, 0.1])
    for number, dataset in enumerate(scales["datasets"]):
        array: Any = group[dataset["path"]]
        assert np.abs(array[...] - level).max() <= 0.5 * number, "scales are no means"
        moves = dataset["coordinateTransformations"]
        step = size * (1, 2**number, 2**number)
        assert np.allclose(moves[0]["scale"], step), f"scale {number} has pixels of {moves[0]['scale']}"
        shift = moves[1]["translation"] if number else [0, 0, 0]
        assert np.allclose(shift, (step - size) / 2), f"scale {number} is shifted by {shift}"
        assert array.chunks == (1, *(min(256, side) for side in array.shape[1:])), f"chunks {array.chunks}"
        level = _halved(level)
    assert scales.get("type") == ("mean" if number else None), f"smaller scales are a {scales.get('type')}"
    assert max(array.shape[1:]) <= 512, "no scale is small"
    needed = not number or max(group[scales["datasets"][-2]["path"]].shape[1:]) > 512
    assert needed, "there are more scales than needed"
    channels = said["omero"]["channels"]
    _same([channel["label"] for channel in channels], image.channel_names, "names")
    highest = float(image.pixels.max())
    window = {"start": 0.0, "end": highest, "min": 0.0, "max": highest}
    assert all(channel["window"] == window for channel in channels), "channels are shown otherwise"


def _mrc(path: Path, image: Image) -> None:
    with mrcfile.open(path) as file:
        _same(file.data, image.pixels, "pixels")
        assert file.is_volume(), "it is no volume"
        assert np.allclose(file.voxel_size.tolist(), (1250, 2500, 5000)), f"voxels of {file.voxel_size}"
        head = file.header
        statistics = (head.dmin, head.dmax, head.dmean, head.rms)
        assert statistics == (0, -1, -2, -1), f"statistics are said: {statistics}"
        assert head.nversion == 20140, f"the version of the standard is {head.nversion}"
        counts = (head.mx, head.my, head.mz)
        assert counts == image.pixels.shape[::-1], f"a volume of {counts} voxels is found"
        assert head.cellb.tolist() == (90, 90, 90), f"the angles are {head.cellb}"
        assert (head.mapc, head.mapr, head.maps) == (1, 2, 3), "the axes are in another order"
        assert head.nsymbt % 16 == 0, f"pixels begin after {head.nsymbt} bytes: no number lies where it can"


def _mrc_stack(path: Path, image: Image) -> None:
    with mrcfile.open(path) as file:
        _same(file.data, image.pixels, "pixels")
        assert file.is_image_stack(), "it is no stack of images"
        assert file.header.mz == 1, f"volumes of {file.header.mz} planes are found"


def _numpy(path: Path, image: Image) -> None:
    with np.load(path) as found:
        _same(found["data"], image.pixels, "pixels")


READERS: Final[Mapping[str, tuple[Reader, ...]]] = {
    "tiff": (Reader(suffix=".tif", check=_imagej),),
    "ome_tiff": (
        Reader(suffix=".ome.tif", check=_ome_tiff),
        Reader(
            suffix=".ome.tif", image=_PLANES, options={"compression": "zstd", "pyramid": 2}, check=_pyramid
        ),
        Reader(suffix=".ome.tif", image=_THIN, options={"pyramid": 2}, check=_thin),
    ),
    "hdf5": (Reader(suffix=".h5", check=_hdf5),),
    "zarr": (Reader(suffix=".zarr", check=_zarr),),
    "ome_zarr": tuple(
        Reader(suffix=".ome.zarr", image=image, options={"version": version}, check=_ome_zarr)
        for version, image in (("0.4", _WIDE), ("0.5", _HALF), ("0.5", _SMALL))
    ),
    "mrc": (
        Reader(suffix=".mrc", image=_VOLUME, check=_mrc),
        Reader(suffix=".mrc", image=_PLANES, check=_mrc_stack),
    ),
    "numpy": (Reader(suffix=".npz", check=_numpy),),
}
"""Readers by the name of the format."""
