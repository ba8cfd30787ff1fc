"""Checks with other programs of the files that denoisplit's image formats write."""

import json
import struct
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs
import h5py
import mrcfile
import numpy as np

from denoisplit.core.images.axes import sizes_by_axis
from denoisplit.core.images.bases import Image, ImageLayout
from denoisplit.testing.image_files.tiff_readers import IMAGEJ, LARGE_IMAGEJ, LARGE_OME_TIFF, OME_TIFF
from denoisplit.testing.image_files.written_files import WRITTEN, LargeFile, Reader, assert_found, drawn
from denoisplit.testing.image_files.zarr_readers import OME_ZARR, ZARR

_VOLUME: Final = Image(data=WRITTEN.pixels[0, 0], axes="zyx", pixel_size=WRITTEN.pixel_size)
_FLAGS: Final = {"c": 1, "t": 8, "s": 64}
"""Kinds of axes in vigra, of which 2 is space."""

_IMOD: Final = 1146047817
_SIZED: Final = drawn((2, 3, 6, 5), "scyx", size=(0.25, 0.125), channel_names=("a", "b", "c"))


def _hdf5(path: Path, image: Image, sizes: tuple[float, ...]) -> None:
    known = sizes_by_axis(image)
    with h5py.File(path) as file:
        data = file["data"]
        assert_found(data[...], image.pixels, "pixels")
        axes = json.loads(data.attrs["axistags"])["axes"]
        found = [(axis["key"], axis["typeFlags"], axis["resolution"]) for axis in axes]
        expected = [(letter, _FLAGS.get(letter, 2), known.get(letter, 0)) for letter in image.axes]
        assert found == expected, f"another program finds the axes {found}"
        assert_found([dimension.label for dimension in data.dims], list(image.axes), "dimensions")
        assert_found(data.attrs["element_size_um"], sizes, "sizes")
        assert_found(data.attrs["channel_names"], image.channel_names, "names")


def _mrc(path: Path, image: Image) -> None:
    known = sizes_by_axis(image)
    sides = {"z": 1} | dict(zip(image.axes, image.pixels.shape, strict=True))
    others = image.pixels.size // (sides["z"] * sides["y"] * sides["x"])
    with mrcfile.open(path) as file:
        assert_found(file.data.reshape(image.pixels.shape), image.pixels, "pixels")
        assert file.data.dtype == image.pixels.dtype, f"pixels of {file.data.dtype} are found"
        volume = file.is_volume() if others == 1 else file.is_volume_stack()
        assert volume == ("z" in image.axes), "it is a volume, or is none"
        assert file.is_image_stack() == ("z" not in image.axes and others > 1), "it is a stack, or is none"
        voxel = [1e4 * known.get(letter, 0) for letter in "xyz"]
        assert np.allclose(file.voxel_size.tolist(), voxel), f"voxels of {file.voxel_size}"
        head = file.header
        group = (1 if others == 1 else 401) if "z" in image.axes else 0
        assert head.ispg == group, f"the space group is {head.ispg}"
        statistics = (head.dmin, head.dmax, head.dmean, head.rms)
        assert statistics == (0, -1, -2, -1), f"statistics are said: {statistics}"
        assert head.nversion == 20140, f"the version of the standard is {head.nversion}"
        counts = (head.mx, head.my, head.mz)
        assert counts == (sides["x"], sides["y"], sides["z"]), f"a volume of {counts} voxels is found"
        assert head.cellb.tolist() == (90, 90, 90), f"the angles are {head.cellb}"
        assert (head.mapc, head.mapr, head.maps) == (1, 2, 3), "the axes are in another order"
        assert head.nsymbt % 16 == 0, f"pixels begin after {head.nsymbt} bytes: no number lies where it can"
        assert bytes(head.exttyp) == b"JSON", "the words behind the header are of another kind"
        assert head.nlabl == 1, f"{head.nlabl} labels are said"
        assert bytes(head.label[0]).startswith(b"denoisplit: "), "the label does not say who wrote it"
    imod = struct.unpack_from("<2i", path.read_bytes(), 152)
    assert imod == (_IMOD, image.pixels.dtype == np.int8), "bytes have another sign for IMOD and Fiji"


def _numpy(path: Path, image: Image) -> None:
    with np.load(path) as found:
        assert_found(found["data"], image.pixels, "pixels")


READERS: Final[Mapping[str, tuple[Reader, ...]]] = {
    "tiff": IMAGEJ,
    "ome_tiff": OME_TIFF,
    "hdf5": (
        Reader(suffix=".h5", check=partial(_hdf5, sizes=(0.5, 0.25, 0.125))),
        Reader(suffix=".h5", image=_SIZED, check=partial(_hdf5, sizes=(1.0, 0.25, 0.125))),
    ),
    "zarr": ZARR,
    "ome_zarr": OME_ZARR,
    "mrc": tuple(
        Reader(suffix=".mrc", image=image, check=_mrc)
        for image in (
            _VOLUME,
            WRITTEN,
            _SIZED,
            drawn((3, 6, 5), "tyx", "float32"),
            drawn((6, 5), "yx", "int16"),
            attrs.evolve(_VOLUME, data=(_VOLUME.pixels % 99).astype(np.int8)),
            attrs.evolve(_VOLUME, data=(_VOLUME.pixels % 99).astype(np.int16)),
        )
    ),
    "numpy": (Reader(suffix=".npz", check=_numpy),),
}
"""Readers by the name of the format."""

_BYTES: Final[np.dtype[Any]] = np.dtype(np.int8)
_SQUARES: Final = ImageLayout(shape=(65_536, 256, 256), dtype=_BYTES, axes="zyx")
"""Its sides make sense in either order of bytes."""


def _large_mrc(path: Path) -> None:
    with path.open("rb") as file:
        sides = struct.unpack("<3i", file.read(12))
    assert sides == _SQUARES.shape[::-1], "another program finds other sides"


LARGE: Final[Mapping[str, tuple[LargeFile, ...]]] = {
    "tiff": LARGE_IMAGEJ,
    "ome_tiff": LARGE_OME_TIFF,
    "mrc": (LargeFile(suffix=".mrc", layout=_SQUARES, check=_large_mrc),),
}
"""Files of more than 4 GiB by the name of the format."""
