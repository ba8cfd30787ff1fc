"""Files that cannot be used are refused in one line that says what to do; odd but good ones are read."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

from denoisplit.core.errors import ImageError
from denoisplit.core.images.bases import Image, IntensityScale
from denoisplit.core.images.image_checks import check_pixels
from denoisplit.core.images.io import choose_format, iterate_planes, open_image, split_inside
from denoisplit.core.storage.image_files import (
    ImageInputs,
    save_image,
    writing_format,
)
from tests.reading import FORMATS, refused

PLANE = np.random.default_rng(0).integers(0, 999, (12, 10)).astype(np.uint16)
NAMES = ("a.tif", "a.ome.tif", "a.npz", "a.npy", "a.mrc", "a.h5", "a.zarr", "a.ome.zarr")


@pytest.mark.parametrize("name", NAMES)
def test_missing_empty_and_wrongly_named_files(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    refused(path, "there is no such f")
    path.write_bytes(b"")
    refused(path, "Check" if "mrc" not in name else "Copy")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(2000))
    refused(path, "got a PNG picture", "Rename it to end in .png.")


def test_a_good_file_under_a_wrong_name_says_its_right_one(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.h5", PLANE)
    refused(tmp_path / "a.h5", "not what its name says (got TIFF). Rename it to end in .tif.")
    with h5py.File(tmp_path / "b.tif", "w") as file:
        file["data"] = PLANE
    refused(tmp_path / "b.tif", "(got HDF5). Rename it to end in .h5.")
    np.save(tmp_path / "c.npy", PLANE)
    (tmp_path / "c.npy").rename(tmp_path / "c.mrc")
    refused(tmp_path / "c.mrc", "(got a NumPy array). Rename it to end in .npy.")


@pytest.mark.parametrize("dtype", [np.complex64, np.bool_])
def test_pixels_that_are_no_intensities(tmp_path: Path, dtype: type) -> None:
    np.save(tmp_path / "a.npy", PLANE.astype(dtype))
    refused(tmp_path / "a.npy", "real numbers", "Save")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["data"] = PLANE.astype(dtype)
    refused(tmp_path / "a.h5", "real numbers", "Save")


@pytest.mark.parametrize("dtype", [np.float16, np.int16, np.int64, np.float64, ">f4"])
def test_other_numbers_and_negative_ones_are_counts(tmp_path: Path, dtype: str) -> None:
    counts = (PLANE.astype(np.float64) - 500).astype(dtype)
    np.save(tmp_path / "a.npy", counts)
    image = open_image(tmp_path / "a.npy", FORMATS)
    ((_, plane),) = iterate_planes(image, 2)
    assert plane.dtype == np.float32
    np.testing.assert_array_equal(plane[0], counts.astype(np.float32))
    check_pixels(plane, "a.npy")


@pytest.mark.parametrize("highest", [255, 4095, 65535])
def test_a_saturated_image(highest: int) -> None:
    pixels = np.full((10, 10), highest, np.float32)
    pixels[:4] = 7
    with pytest.raises(ImageError, match=rf"saturated \(got 60% of the pixels at {highest}\)\. Record"):
        check_pixels(pixels, "a.tif")
    pixels[:5] = 7
    check_pixels(pixels, "a.tif")


def test_a_scale_is_applied_where_counts_are_read(tmp_path: Path) -> None:
    image = Image(data=PLANE[None], axes="cyx", intensity_scale=IntensityScale((0.5,), (-3.0,)))
    for name in NAMES:
        if not name.endswith(".npy"):
            save_image(tmp_path / name, image)
            ((_, plane),) = iterate_planes(open_image(tmp_path / name, FORMATS), 2)
            np.testing.assert_array_equal(plane[0], 0.5 * PLANE.astype(np.float32) - 3)


def test_names_and_paths_inside_files() -> None:
    for text, kind in (
        ("a.OME.zarr/0/1", ".ome.zarr"),
        ("b.zarr/raw", ".zarr"),
        ("x.h5::raw/0", ".h5"),
        ("x.hdf5/raw", ".hdf5"),
        ("folder.zarr.d/a.tif", ".tif"),
    ):
        assert kind in choose_format(Path(text), FORMATS).suffixes
    assert split_inside(Path("f/x.h5::raw/0"), (".h5",)) == (Path("f/x.h5"), "raw/0")
    assert split_inside(Path("f/x.h5/raw/0"), (".h5",)) == (Path("f/x.h5"), "raw/0")
    assert split_inside(Path("f/x.h5"), (".h5",)) == (Path("f/x.h5"), "")
    with pytest.raises(ImageError, match="no image format"):
        choose_format(Path("a.tif/raw"), FORMATS)


def test_names_that_are_only_read_are_refused_before_a_prediction(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"only read \(got \.npy\)"):
        ImageInputs([]).require_writable(tmp_path / "a.npy", overwrite=False)
    assert ".npz" in writing_format(tmp_path / "a.npz", FORMATS).suffixes
