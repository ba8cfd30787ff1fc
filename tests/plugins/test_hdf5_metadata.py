"""HDF5 files of other programs: what their attributes say, tables beside images, filters that are missing."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from denoisplit.core.errors import ImageError
from denoisplit.core.images.bases import PixelSize
from denoisplit.plugins.image_formats.hdf5 import Hdf5
from denoisplit.testing.image_files.foreign_hdf5 import filtered

PIXELS = np.arange(3 * 6 * 8, dtype=np.uint16).reshape(3, 6, 8)
H5 = Hdf5(Hdf5.Options())


def saved(path: Path, pixels: Any = PIXELS, **attributes: Any) -> Path:
    with h5py.File(path, "w") as file:
        file["data"] = pixels
        file["data"].attrs.update(attributes)
    return path


TAGS = '{"axes": ["z", "y", "x"]}'


@pytest.mark.parametrize(
    ("size", "found"),
    [
        ([0.3, 0.2, 0.1], (0.3, 0.2, 0.1)),
        ([0, 0.2, 0.1], (None, 0.2, 0.1)),
        ([np.nan, 0.2, -1], (None, 0.2, None)),
        (["a", "0.2", "0.1"], (None, 0.2, 0.1)),
        ([0.2, 0.1], None),
        ("1,2,3", None),
        (7, None),
    ],
)
def test_element_sizes_count_axis_by_axis(tmp_path: Path, size: Any, found: Any) -> None:
    image = H5.open(saved(tmp_path / "a.h5", axistags=TAGS, element_size_um=size))
    assert image.pixel_size == (None if found is None else PixelSize(found))
    np.testing.assert_array_equal(image.pixels, PIXELS)


def test_an_image_needs_no_element_size_along_z(tmp_path: Path) -> None:
    assert H5.open(saved(tmp_path / "a.h5", PIXELS[0], element_size_um=[0.2, 0.1])).pixel_size == PixelSize(
        (0.2, 0.1)
    )


@pytest.mark.parametrize(
    ("attributes", "axes"),
    [
        ({"axistags": TAGS}, "zyx"),
        ({"axistags": '{"axes": [{"key": "time"}, {"key": "y"}, {"key": "x"}]}'}, "tyx"),
        ({"DIMENSION_LABELS": ["channel", "y", "x"]}, "cyx"),
        ({"DIMENSION_LABELS": ["tile", "y", "x"]}, None),
        ({"axistags": '{"axes": [null, {"key": "y"}, {"key": "x"}]}'}, None),
        ({"axistags": "{"}, None),
    ],
)
def test_names_of_axes_count_as_a_whole(tmp_path: Path, attributes: Any, axes: str | None) -> None:
    path = saved(tmp_path / "a.h5", **attributes)
    if axes is None:
        with pytest.raises(ImageError, match="does not say what its axes are"):
            H5.open(path)
    else:
        assert H5.open(path).axes == axes


def test_the_largest_data_set_is_proposed_and_a_table_alone_is_no_image(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.h5", PIXELS[0])
    with h5py.File(path, "a") as file:
        file["a/table"] = np.zeros((2, 3))
        file["a/words"] = np.array([[b"a"] * 90] * 90)
    with pytest.raises(ImageError, match=r"for example a\.h5::data\.$"):
        H5.open(path)
    with pytest.raises(ImageError, match=r"there is no image 'b' .*for example a\.h5::data\.$"):
        H5.open(path / "b")
    with pytest.raises(ImageError, match=r"there is no image in it \(got no data set of two axes or more\)"):
        H5.open(saved(tmp_path / "b.h5", PIXELS[0, 0]))


@pytest.mark.parametrize(("code", "advice"), [(32004, "pip install hdf5plugin"), (40000, "or with gzip")])
def test_a_filter_that_is_missing_is_named(tmp_path: Path, code: int, advice: str) -> None:
    if h5py.h5z.filter_avail(code):
        pytest.skip("it is installed")
    filtered(tmp_path / "a.h5", code)
    with pytest.raises(ImageError, match=rf"is missing \(got .*number {code}\)\. .*{advice}\.$"):
        H5.open(tmp_path / "a.h5")
