"""What is written is read by the libraries that others use, with all that is known of it."""

import io
import json
import struct
from pathlib import Path
from typing import Any

import h5py
import mrcfile
import numpy as np
import pytest
import tifffile
import zarr

from denoisplit.core.arrays import AnyArray
from denoisplit.core.errors import ImageError
from denoisplit.core.images import lazy
from denoisplit.core.images.bases import Image, PixelSize, TimeInterval
from denoisplit.core.images.io import iterate_planes
from denoisplit.plugins.image_formats.hdf5 import Hdf5
from denoisplit.plugins.image_formats.mrc import Mrc
from denoisplit.plugins.image_formats.numpy_arrays import NumpyArrays
from denoisplit.plugins.image_formats.ome_tiff import OmeTiff
from denoisplit.plugins.image_formats.ome_zarr import OmeZarr
from denoisplit.plugins.image_formats.tiff import Tiff
from denoisplit.plugins.image_formats.zarr_arrays import ZarrArrays

RNG = np.random.default_rng(0)
PIXELS = RNG.normal(size=(2, 3, 2, 9, 7)).astype(np.float32)
IMAGE = Image(
    data=PIXELS,
    axes="tczyx",
    channel_names=("actin", "tubulin", "dna"),
    pixel_size=PixelSize((0.5, 0.25, 0.125)),
    time_interval=TimeInterval(2.5, "s"),
)
ZARR, OME_ZARR, H5, MRC = (
    ZarrArrays(ZarrArrays.Options()),
    OmeZarr(OmeZarr.Options()),
    Hdf5(Hdf5.Options()),
    Mrc(Mrc.Options()),
)
NUMPY = NumpyArrays(NumpyArrays.Options())


def test_tifffile_finds_the_words_of_ome_and_a_pyramid(tmp_path: Path) -> None:
    data = RNG.integers(0, 999, (2, 300, 400)).astype(np.uint16)
    image = Image(
        data=data, axes="tyx", pixel_size=PixelSize((0.2, 0.1)), time_interval=TimeInterval(3, "min")
    )
    made = OmeTiff(OmeTiff.Options(compression="zstd", pyramid=2))
    made.write(tmp_path / "a.ome.tif", image)
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as tif:
        assert [level.shape for level in tif.series[0].levels] == [(2, 300, 400), (2, 150, 200), (2, 75, 100)]
        np.testing.assert_array_equal(tif.series[0].asarray(), data)
        mean = data[0].reshape(150, 2, 200, 2).mean((1, 3))
        assert np.abs(tif.series[0].levels[1].asarray()[0] - mean).max() <= 0.5
        said = tifffile.xml2dict(tif.ome_metadata or "")["OME"]["Image"]["Pixels"]
    assert (said["TimeIncrement"], said["TimeIncrementUnit"], said["PhysicalSizeX"]) == (3, "min", 0.1)
    assert made.open(tmp_path / "a.ome.tif").layout == image.layout


def test_imagej_finds_its_frame_interval(tmp_path: Path) -> None:
    Tiff(Tiff.Options()).write(tmp_path / "a.tif", IMAGE)
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        said = tif.imagej_metadata or {}
        np.testing.assert_array_equal(tif.asarray(), PIXELS.swapaxes(1, 2))
    assert (said["finterval"], said["tunit"], said["frames"]) == (2.5, "sec", 2)


def test_files_over_four_gigabytes_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("denoisplit.plugins.image_formats.tiff._MOST_BYTES", 2**12)
    monkeypatch.setattr("denoisplit.plugins.image_formats.ome_tiff._BIG", 100)
    for name, made in (("a.tif", Tiff(Tiff.Options())), ("a.ome.tif", OmeTiff(OmeTiff.Options()))):
        made.write(tmp_path / name, IMAGE)
        with tifffile.TiffFile(tmp_path / name) as tif:
            assert tif.is_bigtiff == (name == "a.ome.tif")
        back = made.open(tmp_path / name)
        assert back.layout == IMAGE.layout
        np.testing.assert_array_equal(back.data, PIXELS)


def test_planes_over_four_gigabytes_are_a_bigtiff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("denoisplit.plugins.image_formats.tiff._MOST_BYTES", 100)
    Tiff(Tiff.Options()).write(tmp_path / "a.tif", IMAGE)
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        assert tif.is_bigtiff
    back = Tiff(Tiff.Options()).open(tmp_path / "a.tif")
    assert back.layout == IMAGE.layout
    np.testing.assert_array_equal(back.data, PIXELS)


def test_positions_of_an_ome_tiff_become_an_axis(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as writer:
        for position in range(3):
            writer.write(
                np.full((2, 8, 9), position, np.uint8), metadata={"axes": "CYX"}, photometric="minisblack"
            )
    image = OmeTiff(OmeTiff.Options()).open(tmp_path / "a.ome.tif")
    assert (image.axes, image.data.shape) == ("scyx", (3, 2, 8, 9))
    assert [int(plane.mean()) for _, plane in iterate_planes(image, 2)] == [0, 1, 2]


@pytest.mark.parametrize("compression", ["lzw", "zlib", "zstd", "jpeg2000"])
def test_compressed_tiles_are_decoded_where_they_are_asked_for(
    tmp_path: Path, compression: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = RNG.integers(0, 999, (3, 100, 90)).astype(np.uint16)
    how: dict[str, Any] = {
        "compression": compression,
        "tile": (32, 48),
        "metadata": {"axes": "ZYX"},
        "photometric": "minisblack",
    }
    tifffile.imwrite(
        tmp_path / "a.tif", data, compressionargs={"reversible": True} if "jpeg" in compression else {}, **how
    )
    monkeypatch.setattr(lazy, "LAZY_FROM", 0)
    image = Tiff(Tiff.Options()).open(tmp_path / "a.tif")
    np.testing.assert_array_equal(image.data[1, 30:70, 40:], data[1, 30:70, 40:])


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_the_models_and_the_reader_of_ome_zarr_accept_the_image(tmp_path: Path, version: Any) -> None:
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader
    from ome_zarr_models import open_ome_zarr

    path = tmp_path / "a.ome.zarr"
    large = RNG.integers(0, 999, (2, 1, 1100, 1030)).astype(np.uint16)
    image = Image(
        data=large,
        axes="cxyz"[:1] + "zyx",
        channel_names=("a", "b"),
        pixel_size=PixelSize((2.0, 0.2, 0.1)),
    )
    OmeZarr(OmeZarr.Options(version=version)).write(path, image)
    modelled: Any = open_ome_zarr(zarr.open_group(str(path), mode="r"))
    assert modelled.ome_zarr_version == version
    attributes = modelled.attributes.ome if version == "0.5" else modelled.attributes
    (scales,) = attributes.multiscales
    assert [axis.name for axis in scales.axes] == ["c", "z", "y", "x"]
    assert {axis.unit for axis in scales.axes[1:]} == {"micrometer"}
    steps = [dataset.coordinateTransformations[0].scale for dataset in scales.datasets]
    assert steps == [[1, 2, 0.2, 0.1], [1, 2, 0.4, 0.2], [1, 2, 0.8, 0.4]]
    said: Any = dict(zarr.open_group(str(path), mode="r").attrs)
    omero: Any = said["ome"]["omero"] if version == "0.5" else attributes.omero.model_dump()
    assert [channel["label"] for channel in omero["channels"]] == ["a", "b"]
    location = parse_url(path)
    assert location is not None
    (node,) = list(Reader(location)())
    np.testing.assert_array_equal(np.asarray(node.data[0]), large)
    assert node.data[1].shape == (2, 1, 550, 515)
    assert (zarr.open_array(str(path / "0"), mode="r").shards is not None) == (version == "0.5")


def test_plates_are_walked_and_their_images_can_be_named(tmp_path: Path) -> None:
    path = tmp_path / "plate.ome.zarr"
    wells = [{"path": f"A/{column}", "rowIndex": 0, "columnIndex": column - 1} for column in (1, 2)]
    root: Any = zarr.open_group(str(path), mode="w", zarr_format=2)
    root.attrs["plate"] = {"wells": wells, "rows": [{"name": "A"}], "columns": [{"name": "1"}, {"name": "2"}]}
    for well in wells:
        root.create_group(str(well["path"])).attrs["well"] = {"images": [{"path": "0"}]}
        plain = OmeZarr(OmeZarr.Options(version="0.4"))
        image = Image(
            data=np.full((2, 6, 5), well["columnIndex"], np.uint8), axes="cyx", channel_names=("a", "b")
        )
        plain.write(tmp_path / "one.ome.zarr", image)
        (tmp_path / "one.ome.zarr").rename(path / str(well["path"]) / "0")
    whole = OME_ZARR.open(path)
    assert (whole.axes, whole.data.shape, whole.channel_names) == ("scyx", (2, 2, 6, 5), ("a", "b"))
    assert [int(plane.max()) for _, plane in iterate_planes(whole, 2)] == [0, 1]
    assert OME_ZARR.open(path / "A" / "2" / "0").data[0, 0, 0] == 1
    with pytest.raises(ImageError, match="there is no image 'A/7/0'"):
        OME_ZARR.open(path / "A" / "7" / "0")


def test_zarr_tells_its_dimensions_and_finds_arrays_inside(tmp_path: Path) -> None:
    ZARR.write(tmp_path / "a.zarr", IMAGE)
    array: Any = zarr.open_array(str(tmp_path / "a.zarr"), mode="r")
    np.testing.assert_array_equal(np.asarray(array[...]), PIXELS)
    assert "".join(array.metadata.dimension_names or ()) == "tczyx"
    assert array.attrs["channel_names"] == ["actin", "tubulin", "dna"]
    group: Any = zarr.open_group(str(tmp_path / "g.zarr"), mode="w", zarr_format=2)
    for name in ("raw", "other"):
        group.create_array(name, data=PIXELS[0, 0]).attrs["_ARRAY_DIMENSIONS"] = ["z", "y", "x"]
    assert ZARR.open(tmp_path / "g.zarr" / "raw").axes == "zyx"
    with pytest.raises(ImageError, match=r"expected one image \(got the arrays other, raw\)"):
        ZARR.open(tmp_path / "g.zarr")
    with pytest.raises(ImageError, match="folder of its own"):
        ZARR.write(tmp_path / "g.zarr" / "raw", IMAGE)


def test_no_folder_but_a_zarr_folder_is_ever_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.zarr").mkdir()
    (tmp_path / "a.zarr" / "thesis.txt").write_text("years")
    with pytest.raises(ImageError, match="something else has this name"):
        ZARR.write(tmp_path / "a.zarr", IMAGE)
    assert (tmp_path / "a.zarr" / "thesis.txt").exists()
    for made in (OME_ZARR, ZARR):
        made.write(tmp_path / "b.zarr", IMAGE)
    assert [path.name for path in tmp_path.iterdir() if path.name != "a.zarr"] == ["b.zarr"]


def test_h5py_and_ilastik_find_axes_and_element_sizes(tmp_path: Path) -> None:
    H5.write(tmp_path / "a.h5", IMAGE)
    with h5py.File(tmp_path / "a.h5") as file:
        np.testing.assert_array_equal(file["data"][...], PIXELS)
        keys = [axis["key"] for axis in json.loads(file["data"].attrs["axistags"])["axes"]]
        assert keys == list("tczyx")
        assert [dimension.label for dimension in file["data"].dims] == list("tczyx")
        assert list(file["data"].attrs["element_size_um"]) == [0.5, 0.25, 0.125]
    H5.write(tmp_path / "b.h5::deep/er", IMAGE)
    with h5py.File(tmp_path / "b.h5") as file:
        assert file["deep/er"].shape == PIXELS.shape


def test_h5_files_of_others_tell_their_axes(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["raw"] = PIXELS[0]
        file["raw"].attrs["axistags"] = json.dumps({"axes": [{"key": key} for key in "czyx"]})
        file["raw"].attrs["element_size_um"] = [0.3, 0.2, 0.1]
        file["other"] = PIXELS[0]
    with pytest.raises(ImageError, match=r"data sets other, raw\)"):
        H5.open(tmp_path / "a.h5")
    for path in (tmp_path / "a.h5" / "raw", tmp_path / "a.h5::raw"):
        image = H5.open(path)
        assert (image.axes, image.pixel_size) == ("czyx", PixelSize((0.3, 0.2, 0.1)))
    with pytest.raises(ImageError, match=r"could be czyx, tcyx, tzyx or zcyx\)\. Give axes='czyx'"):
        H5.open(tmp_path / "a.h5" / "other")


@pytest.mark.parametrize("dtype", ["int8", "int16", "uint16", "float32"])
def test_mrcfile_reads_what_is_written(tmp_path: Path, dtype: str) -> None:
    image = Image(
        data=(50 * PIXELS[0, 0]).astype(dtype), axes="zyx", pixel_size=PixelSize((500.0, 250.0, 125.0), "nm")
    )
    MRC.write(tmp_path / "a.mrc", image)
    report = io.StringIO()
    mrcfile.validate(tmp_path / "a.mrc", print_file=report)
    _, *complaints = [line for line in report.getvalue().splitlines() if line.strip()]
    assert complaints == ["Extended header type is undefined or unrecognised: exttyp = 'JSON'"]
    with mrcfile.open(tmp_path / "a.mrc") as file:
        np.testing.assert_array_equal(file.data, image.data)
        assert file.is_volume()
        assert file.voxel_size.tolist() == pytest.approx((1250, 2500, 5000))


def test_files_of_mrcfile_are_read_in_either_byte_order(tmp_path: Path) -> None:
    for name, data in (("a.mrc", PIXELS[0, 0]), ("b.mrc", PIXELS[0, 0].astype(">f4"))):
        with mrcfile.new(tmp_path / name) as file:
            file.set_data(data)
            file.voxel_size = (10, 20, 30)
        image = MRC.open(tmp_path / name)
        np.testing.assert_array_equal(image.data, PIXELS[0, 0])
        assert image.axes == "zyx"
        assert image.pixel_size is not None
        assert image.pixel_size.size == pytest.approx((3e-3, 2e-3, 1e-3))


def _old_mrc(path: Path, data: AnyArray, cell: tuple[float, float, float], counts: tuple[int, ...]) -> None:
    """A header as BioSR's files have it: no word MAP, lengths in µm."""
    header = bytearray(1024)
    nz, ny, nx = data.shape
    struct.pack_into("<4i", header, 0, nx, ny, nz, 6)
    struct.pack_into("<3i3f3f3i", header, 28, *counts, *cell, 90, 90, 90, 1, 2, 3)
    path.write_bytes(bytes(header) + data.astype("<u2").tobytes())


@pytest.mark.parametrize(("cell", "counts"), [((0.7, 0.9, 0.0), (7, 9, 0)), ((0.1, 0.1, 0.1), (7, 9, 3))])
def test_files_of_light_microscopes_without_the_word_map_are_in_microns(
    tmp_path: Path, cell: tuple[float, float, float], counts: tuple[int, ...]
) -> None:
    data = RNG.integers(0, 9999, (3, 9, 7)).astype(np.uint16)
    _old_mrc(tmp_path / "GT_all.mrc", data, cell if counts[2] == 0 else (0.7, 0.9, 0.3), counts)
    with pytest.raises(ImageError, match=r"\(3, 9, 7\): could be zyx, tyx, syx or cyx"):
        MRC.open(tmp_path / "GT_all.mrc")
    image = MRC.open(tmp_path / "GT_all.mrc", axes="syx")
    np.testing.assert_array_equal(image.data, data)
    assert image.pixel_size is not None
    assert image.pixel_size.size == pytest.approx((0.1, 0.1))


def test_numpy_reads_what_is_written_and_its_arrays_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    NUMPY.write(tmp_path / "a.npz", IMAGE)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npz")["data"], PIXELS)
    monkeypatch.setattr(lazy, "LAZY_FROM", 0)
    for order, array in (
        ("c", PIXELS[0, 0]),
        ("f", np.asfortranarray(PIXELS[0, 0])),
        ("b", PIXELS[0, 0].astype(">f8")),
    ):
        np.save(tmp_path / f"{order}.npy", array)
        with pytest.raises(ImageError, match="could be cyx, zyx or tyx"):
            NUMPY.open(tmp_path / f"{order}.npy")
        image = NUMPY.open(tmp_path / f"{order}.npy", axes="ZYX")
        assert isinstance(image.data, lazy.LazyPixels)
        np.testing.assert_array_equal(image.data[:, 2:5], array[:, 2:5])
    np.save(tmp_path / "objects.npy", np.array([[{}]]), allow_pickle=True)
    with pytest.raises(ImageError, match="real numbers"):
        NUMPY.open(tmp_path / "objects.npy")
