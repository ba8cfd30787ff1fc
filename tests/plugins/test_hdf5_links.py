"""HDF5: names that lead somewhere else, pixels that lie elsewhere, and files that end the library."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from denoisplit.core.errors import ImageError
from denoisplit.plugins.image_formats import _hdf5_child
from denoisplit.plugins.image_formats.hdf5 import Hdf5

PIXELS = np.arange(48, dtype=np.uint16).reshape(6, 8)
H5 = Hdf5(Hdf5.Options())


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["far"] = PIXELS + 7
    (tmp_path / "deeper").mkdir()
    path = tmp_path / "deeper" / "a.h5"
    with h5py.File(tmp_path / "deeper" / "beside.h5", "w") as file:
        file["far"] = PIXELS + 9
    with h5py.File(path, "w") as file:
        file["group/pixels"] = PIXELS
        file["second"] = file["group/pixels"]
        file["alias"] = h5py.SoftLink("/group/pixels")
        file["folder"] = h5py.SoftLink("/group")
        file["round"] = h5py.SoftLink("/round")
        file["group/up"] = h5py.SoftLink("/")
        file["lost"] = h5py.SoftLink("/nowhere")
    return path


@pytest.mark.parametrize("name", ["second", "group/pixels", "alias", "folder/pixels", "group/up/second", ""])
def test_every_name_of_an_image_leads_to_it(linked: Path, name: str) -> None:
    image = H5.open(linked / name)
    np.testing.assert_array_equal(image.data, PIXELS)
    with pytest.raises(ImageError, match=r"there is no image 'lost' \(got the data sets"):
        H5.open(linked / "lost")
    with pytest.raises(ImageError, match=r"there is no image 'round'"):
        H5.open(linked / "round")


def test_links_to_files_beside_are_followed_and_those_out_of_the_folder_are_not(linked: Path) -> None:
    with h5py.File(linked, "a") as file:
        file["beside"] = h5py.ExternalLink("beside.h5", "far")
    np.testing.assert_array_equal(H5.open(linked / "beside").data, PIXELS + 9)
    with h5py.File(linked, "a") as file:
        file["outside"] = h5py.ExternalLink("../other.h5", "far")
    with pytest.raises(ImageError, match=r"outside lies in another folder \(got the link \.\./other\.h5\)"):
        H5.open(linked / "outside")


def test_pixels_in_other_files_are_read_where_that_is_asked_for(tmp_path: Path) -> None:
    raw, beside = tmp_path / "secret.raw", tmp_path / "beside.h5"
    raw.write_bytes(PIXELS.tobytes())
    with h5py.File(beside, "w") as file:
        file["far"] = PIXELS
    with h5py.File(tmp_path / "stored.h5", "w") as file:
        file.create_dataset("data", PIXELS.shape, "u2", external=[(str(raw), 0, PIXELS.nbytes)])
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        layout = h5py.VirtualLayout(PIXELS.shape, "u2")
        layout[:] = h5py.VirtualSource(str(beside), "far", PIXELS.shape)
        file.create_virtual_dataset("data", layout)
    for name, kind in (("stored.h5", "external storage"), ("virtual.h5", "a virtual data set")):
        with pytest.raises(ImageError, match=rf"the pixels of data lie in other files \(got {kind}\)"):
            H5.open(tmp_path / name)
        image = Hdf5(Hdf5.Options(other_files=True)).open(tmp_path / name)
        np.testing.assert_array_equal(image.data, PIXELS)


def test_a_file_that_ends_the_library_is_an_error_and_the_next_one_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process that looks at files ends in it, as the library does at some damaged ones.

    Where their attributes are all that is damaged, the pixels are read without them.
    """
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["data"] = PIXELS
    program = _hdf5_child._PROGRAM.replace(
        "_hdf5_child.serve()",
        "import os\n"
        "whole = _hdf5_child.answer\n"
        "ends = lambda text: 'bad' in text or ('said' in text and '\"bare\": false' in text)\n"
        "_hdf5_child.answer = lambda text: os.abort() if ends(text) else whole(text)\n"
        "_hdf5_child.serve()",
    )
    monkeypatch.setattr(_hdf5_child, "_PROGRAM", program)
    _hdf5_child._child_of.cache_clear()
    for name in ("bad.h5", "said.h5"):
        (tmp_path / name).write_bytes((tmp_path / "a.h5").read_bytes())
    with pytest.raises(ImageError, match=r"bad\.h5: not a readable HDF5 file \(got: the HDF5 library"):
        H5.open(tmp_path / "bad.h5")
    for name in ("a.h5", "said.h5"):
        np.testing.assert_array_equal(H5.open(tmp_path / name).data, PIXELS)
    _hdf5_child._child_of.cache_clear()


def test_broken_attributes_leave_the_pixels(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["data"] = PIXELS
        file["data"].attrs["axistags"] = '{"axes": [1, "x"]}'
        file["data"].attrs["element_size_um"] = "large"
        file["data"].attrs["DIMENSION_LABELS"] = [3.5, np.nan]
        file["data"].attrs["denoisplit"] = np.arange(3)
    image = H5.open(tmp_path / "a.h5")
    assert (image.axes, image.pixel_size) == ("yx", None)
    np.testing.assert_array_equal(image.data, PIXELS)
