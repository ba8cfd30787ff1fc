"""Above 4 GiB, a hyperstack lists its first plane only, as ImageJ's own. The files here are sparse."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from denoisplit.core.images import writing
from denoisplit.core.images.bases import ImageLayout
from denoisplit.core.images.writing import RegionWriter
from denoisplit.plugins.image_formats.tiff import Tiff
from tests.reading import opened

SIDE = 1024


@pytest.fixture
def without_space(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    monkeypatch.setattr(writing, "check_space", lambda size, path: None)


def sparse(path: Path, layout: ImageLayout) -> None:
    """A file whose last pixel alone is written."""
    writer = Tiff(Tiff.Options()).create(path, layout)
    writer.write(tuple(slice(side - 1, side) for side in layout.shape), np.full((1,) * len(layout.shape), 7))
    assert isinstance(writer, RegionWriter)
    writer._missing = 0
    writer.finish()


@pytest.mark.usefixtures("without_space")
@pytest.mark.parametrize(
    ("dtype", "planes", "listed"),
    [("float32", 1023, True), ("float32", 1024, False), ("uint8", 4093, True), ("uint8", 4096, False)],
)
def test_a_file_above_4_gib_is_still_a_hyperstack(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, dtype: str, planes: int, listed: bool
) -> None:
    shape, path = (planes, SIDE, SIDE), tmp_path / "large.tif"
    sparse(path, ImageLayout(shape=shape, dtype=np.dtype(dtype), axes="tyx"))
    with tifffile.TiffFile(path) as tif:
        assert tif.is_imagej
        assert not tif.is_bigtiff
        assert len(tif.pages) == (planes if listed else 1)
        assert tif.series[0].shape == shape
        assert tif.series[0].dtype == dtype
    image = opened(path)
    assert (image.axes, image.data.shape) == ("tyx", shape)
    assert int(np.asarray(image.data[planes - 1, SIDE - 1, SIDE - 1])) == 7
    assert ("lists its first plane only" in caplog.text) is not listed


@pytest.mark.usefixtures("without_space")
def test_planes_above_4_gib_are_a_bigtiff(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    shape, path = (2, 33_000, 33_000), tmp_path / "large.tif"
    single: np.dtype[Any] = np.dtype(np.float32)
    sparse(path, ImageLayout(shape=shape, dtype=single, axes="cyx", channel_names=("a", "b")))
    with tifffile.TiffFile(path) as tif:
        assert tif.is_bigtiff
    image = opened(path)
    assert (image.axes, image.data.shape, image.channel_names) == ("cyx", shape, ("a", "b"))
    assert int(np.asarray(image.data[-1, -1, -1])) == 7
    assert "which ImageJ cannot open" in caplog.text
