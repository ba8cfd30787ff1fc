"""A prediction is the same in every format, and metadata of the input is in all of them."""

from pathlib import Path

import numpy as np
import pytest

import denoisplit
from denoisplit.core.images.bases import Image, PixelSize, TimeInterval
from denoisplit.core.images.io import iterate_planes, open_image
from denoisplit.core.storage.image_files import installed_formats, save_image
from tests.e2e.experiment import Experiment

NAMES = ("a.tif", "a.ome.tif", "a.ome.zarr", "a.zarr", "a.h5", "a.mrc", "a.npz")


@pytest.mark.parametrize("dtype", ["float32", "uint16"])
def test_every_format_takes_a_movie_and_gives_the_same_prediction(
    experiment: Experiment, tmp_path: Path, dtype: str
) -> None:
    run = denoisplit.load(experiment.run)
    data = np.random.default_rng(0).normal(200, 50, (2, 9, 6)).astype(np.float32)
    size, interval = PixelSize((0.25, 0.125)), TimeInterval(2.5, "s")
    movie = Image(data=data, axes="tyx", pixel_size=size, time_interval=interval)
    expected = run.predict(data, axes="tyx").to_image()
    planes = np.stack([plane for _, plane in iterate_planes(expected, 2)])
    error = 0.5001 if dtype == "uint16" else 0.0  # whole counts
    for name in NAMES:
        save_image(tmp_path / name, movie)
        run.predict(tmp_path / name).save(tmp_path / "out" / name, dtype=dtype)
        written = open_image(tmp_path / "out" / name, installed_formats())
        back = np.stack([plane for _, plane in iterate_planes(written, 2)])
        assert np.abs(back - planes).max() <= error, name
        assert written.data.dtype == dtype
        assert written.channel_names == expected.channel_names
        assert (written.pixel_size, written.time_interval) == (size, interval)
