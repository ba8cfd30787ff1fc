"""Small files of every image format, and how they are read."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import imagecodecs
import numpy as np
import tifffile

from denoisplit.core.arrays import AnyArray
from denoisplit.core.images.bases import Image, PixelSize, TimeInterval
from denoisplit.core.images.io import open_image
from denoisplit.core.images.layout import check_layout
from denoisplit.core.images.lazy import is_small
from denoisplit.core.storage.image_files import installed_formats
from denoisplit.testing.image_files.microscope_files import write_czi, write_lif, write_nd2
from denoisplit.testing.image_files.vendor_tiffs import write_lsm, write_stk
from tests.fuzz.engine import Sample, Target
from tests.fuzz.mutations import Mutate, damaged, json_changed, npy_changed, png_changed, zip_changed

_PLANE: Final = np.random.default_rng(0).integers(90, 900, (12, 10)).astype(np.uint16)
_STACK: Final = np.random.default_rng(1).integers(90, 900, (2, 3, 12, 10)).astype(np.uint16)
_IMAGE: Final = Image(
    data=_STACK,
    axes="tcyx",
    channel_names=("a", "b", "c"),
    pixel_size=PixelSize((0.1, 0.1)),
    time_interval=TimeInterval(2.0),
)
_FLAT: Final = Image(data=_PLANE, axes="yx", pixel_size=PixelSize((0.1, 0.2)))
_NO_SIZES: Final = Image(data=_STACK[:, 0], axes="tyx")

Make = Callable[[Path], object]


def read(path: Path) -> AnyArray | None:
    """All pixels of an image, or the first and the last of a large one; its layout must be one."""
    image = open_image(path, _formats())
    check_layout(image.layout, "read")
    data: Any = image.data
    assert data.dtype.kind in "uif", data.dtype
    if is_small(data.nbytes):
        pixels = np.asarray(data)
        assert pixels.shape == data.shape
        return pixels
    for at in (0, -1):
        np.asarray(data[(at,) * data.ndim])
    return None


def _formats() -> list[Any]:
    if not _FORMATS:
        _FORMATS.extend(installed_formats())
    return _FORMATS


_FORMATS: list[Any] = []


def _written(*made: tuple[str, Make], mutate: Mutate = damaged) -> Callable[[Path], list[Sample]]:
    """Samples of files that functions write."""

    def samples(folder: Path) -> list[Sample]:
        found = []
        for number, (name, make) in enumerate(made):
            inside = folder / str(number)
            inside.mkdir(parents=True)
            make(inside / name)
            files = {
                path.relative_to(inside).as_posix(): path.read_bytes()
                for path in sorted(inside.rglob("*"))
                if path.is_file()
            }
            change = {n: _mutation(n, mutate) for n, content in files.items() if content}
            found.append(Sample(files, change, name, read(inside / name)))
        return found

    return samples


def _mutation(name: str, mutate: Mutate) -> Mutate:
    if name.endswith((".json", ".zarray", ".zattrs", ".zgroup", ".zmetadata")):
        return json_changed
    return mutate


def _format(image: Image) -> Make:
    def write(path: Path) -> None:
        from denoisplit.core.images.io import choose_format

        choose_format(path, _formats()).write(path, image)

    return write


def _tiff(pixels: AnyArray, **options: Any) -> Make:
    return lambda path: tifffile.imwrite(path, pixels, **options)


def _png(pixels: AnyArray) -> Make:
    return lambda path: path.write_bytes(imagecodecs.png_encode(pixels))


def _h5(path: Path) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        file.create_dataset("group/raw", data=_PLANE, chunks=(5, 4), compression="gzip", shuffle=True)
        file["group/raw"].attrs["element_size_um"] = [1.0, 0.1, 0.1]
        file["alias"] = h5py.SoftLink("/group/raw")


def _zarr(version: Literal[2, 3], **options: Any) -> Make:
    def make(path: Path) -> None:
        import zarr

        known: dict[str, Any] = {"shape": _PLANE.shape, "chunks": (6, 5), "dtype": "u2", **options}
        array: Any = zarr.create_array(str(path), zarr_format=version, **known)
        array[:] = _PLANE

    return make


def _ome_set(path: Path) -> None:
    """Two files of one image, of which the second one is opened, too."""
    beside = path.with_name("second.ome.tif")
    names = (path.name, beside.name)
    files = "".join(
        f'<TiffData FirstT="{t}" IFD="0" PlaneCount="1">'
        f'<UUID FileName="{name}">urn:uuid:{t}</UUID></TiffData>'
        for t, name in enumerate(names)
    )
    xml = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="10" SizeY="12"'
        ' SizeZ="1" SizeC="1" SizeT="2" PhysicalSizeX="0.1" PhysicalSizeY="0.1"><Channel ID="Channel:0:0"/>'
        f"{files}</Pixels></Image></OME>"
    )
    for t, file in enumerate((path, beside)):
        tifffile.imwrite(file, _STACK[t, 0], description=xml, metadata=None)


def _czi(path: Path) -> None:
    write_czi(path, _IMAGE)


def _small_czi(path: Path) -> None:
    write_czi(path, _FLAT, tile=8, compression="zstd1:")


IMAGES: Final[Sequence[Target]] = (
    Target(
        "tiff",
        _written(
            ("a.tif", _tiff(_PLANE, metadata=None)),
            (
                "b.tif",
                _tiff(_STACK, imagej=True, metadata={"axes": "TCYX", "spacing": 2.0}, resolution=(10, 10)),
            ),
            ("c.tif", _tiff(_PLANE, compression="zlib", predictor=True, tile=(16, 16), metadata=None)),
            ("d.tif", _tiff(_PLANE, compression="lzw", rowsperstrip=5, byteorder=">", metadata=None)),
            ("e.tif", _tiff(_STACK[0], metadata={"axes": "CYX"}, photometric="minisblack", bigtiff=True)),
            ("f.tif", _tiff(_PLANE.astype(np.uint8), rowsperstrip=3, compression="packbits", metadata=None)),
            ("g.stk", lambda path: write_stk(path, _STACK[0], size=0.1, unit="um", step=0.3)),
            ("h.lsm", lambda path: write_lsm(path, _STACK, voxel=(3e-7, 1e-7, 1e-7))),
        ),
        read,
    ),
    Target(
        "ome_tiff",
        _written(
            ("a.ome.tif", _format(_IMAGE)),
            (
                "b.ome.tif",
                _tiff(_STACK[0], metadata={"axes": "CYX"}, compression="zlib", photometric="minisblack"),
            ),
            ("c.ome.tif", _ome_set),
        ),
        read,
    ),
    Target("npy", _written(("a.npy", lambda path: np.save(path, _PLANE)), mutate=npy_changed), read),
    Target(
        "npz",
        _written(
            ("a.npz", _format(_IMAGE)),
            ("b.npz", lambda path: np.savez_compressed(path, _PLANE)),
            mutate=zip_changed(npy_changed),
        ),
        read,
    ),
    Target(
        "mrc",
        _written(("a.mrc", _format(_FLAT)), ("b.mrc", _format(_IMAGE)), ("c.mrc", _format(_NO_SIZES))),
        read,
    ),
    Target("hdf5", _written(("a.h5", _format(_IMAGE)), ("b.h5", _format(_FLAT)), ("c.h5", _h5)), read),
    Target(
        "zarr",
        _written(
            ("a.zarr", _format(_IMAGE)),
            ("b.zarr", _zarr(2)),
            ("c.zarr", _zarr(3, shards=(12, 10))),
            ("d.zarr", _zarr(3, compressors=None)),
        ),
        read,
    ),
    Target("ome_zarr", _written(("a.ome.zarr", _format(_IMAGE)), ("b.ome.zarr", _format(_FLAT))), read),
    Target("czi", _written(("a.czi", _czi), ("b.czi", _small_czi)), read),
    Target(
        "png",
        _written(("a.png", _png(_PLANE)), ("b.png", _png(_PLANE.astype(np.uint8))), mutate=png_changed),
        read,
    ),
    Target("nd2", _written(("a.nd2", lambda path: write_nd2(path, _NO_SIZES))), read),
    Target("lif", _written(("a.lif", lambda path: write_lif(path, _NO_SIZES))), read),
)
