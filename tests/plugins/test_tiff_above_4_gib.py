"""ImageJ's format ends at 4 GiB; above, a hyperstack is a BigTIFF. Files are begun only, without space."""

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile

from denoisplit.core.errors import ImageError
from denoisplit.core.images import writing
from denoisplit.core.images.bases import ImageLayout
from denoisplit.plugins.image_formats.tiff import Tiff

SIDE = 1024


@pytest.fixture
def without_space(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    monkeypatch.setattr(writing, "check_space", lambda size, path: None)


@pytest.mark.usefixtures("without_space")
@pytest.mark.parametrize(
    ("dtype", "planes", "big"),
    [("float32", 1023, False), ("float32", 1024, True), ("uint8", 4095, False), ("uint8", 4096, True)],
)
def test_a_file_above_4_gib_is_a_bigtiff(tmp_path: Path, dtype: str, planes: int, big: bool) -> None:
    shape = (planes, SIDE, SIDE)
    layout = ImageLayout(shape=shape, dtype=np.dtype(dtype), axes="tyx")
    path = tmp_path / "large.tif"

    def begin() -> None:
        with Tiff(Tiff.Options()).create(path, layout):
            (file,) = tmp_path.glob(".*/new")
            assert file.stat().st_size > planes * SIDE**2 * np.dtype(dtype).itemsize
            with tifffile.TiffFile(file) as tif:
                assert tif.is_bigtiff == big
                assert tif.is_imagej != big
                assert tif.series[0].shape == shape
                assert tif.series[0].dtype == dtype
            raise ImageError("stopped")

    with pytest.raises(ImageError, match="stopped"):
        begin()
    assert not list(tmp_path.glob("*.tif"))
