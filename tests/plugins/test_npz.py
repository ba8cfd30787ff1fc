"""Large arrays in .npz files are read where they are asked for, if they are not compressed."""

import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from denoisplit.core.errors import ImageError
from denoisplit.core.images import lazy
from denoisplit.core.images.bases import Image
from denoisplit.core.images.lazy import is_lazy
from denoisplit.plugins.image_formats.numpy_arrays import NumpyArrays

FORMAT = NumpyArrays(NumpyArrays.Options())
AXES = "tcyx"


@pytest.fixture(autouse=True)
def small_arrays_are_lazy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lazy, "LAZY_FROM", 1)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.integers(1, 6), min_size=2, max_size=4),
    st.sampled_from(["<u2", ">f4", "u1", "<f8"]),
    st.sampled_from("CF"),
    st.text("abc/ä", min_size=1, max_size=9).filter(
        lambda name: name.strip("/") == name and "//" not in name
    ),
    st.booleans(),
)
def test_pixels_are_those_that_numpy_reads(
    shape: list[int], dtype: str, order: Any, name: str, comment: bool
) -> None:
    pixels = np.asarray(np.random.default_rng(0).integers(0, 200, shape).astype(dtype), order=order)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.npz"
        arrays: dict[str, Any] = {"denoisplit": np.str_("{}"), name: pixels}
        np.savez(path, **arrays)
        if comment:  # what other programs add at the end moves nothing
            with zipfile.ZipFile(path, "a") as archive:
                archive.comment = b"of another program"
        image = FORMAT.open(path, axes=AXES[-len(shape) :])
        assert is_lazy(image.data)
        with np.load(path) as expected:
            np.testing.assert_array_equal(image.pixels, expected[name])
        region = (slice(0, 1), ..., slice(1, 3))
        np.testing.assert_array_equal(image.data[region], pixels[region])


def test_what_is_known_of_a_large_image_is_kept(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).random((2, 9, 8)).astype(np.float32)
    FORMAT.write(tmp_path / "a.npz", Image(data=pixels, axes="cyx", channel_names=("one", "other")))
    image = FORMAT.open(tmp_path / "a.npz")
    assert is_lazy(image.data)
    assert (image.axes, image.channel_names) == ("cyx", ("one", "other"))
    np.testing.assert_array_equal(image.data[1, 3:5], pixels[1, 3:5])


def test_compressed_arrays_are_read_as_a_whole(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).random((9, 8))
    np.savez_compressed(tmp_path / "a.npz", pixels)
    image = FORMAT.open(tmp_path / "a.npz")
    assert not is_lazy(image.data)
    np.testing.assert_array_equal(image.data, pixels)


def test_objects_are_refused(tmp_path: Path) -> None:
    things: Any = {"data": np.array([{"a": 1}, None], dtype=object)}
    np.savez(tmp_path / "a.npz", **things)
    with pytest.raises(ImageError, match=r"a\.npz: pixels must be real numbers \(got object\)"):
        FORMAT.open(tmp_path / "a.npz")
