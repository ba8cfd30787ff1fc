"""A prediction from file to file has the pixels and the verdict of one in memory, in every format."""

from pathlib import Path

import attrs
import numpy as np
import pytest

import denoisplit
from denoisplit.core.images import lazy
from denoisplit.core.images.bases import Image, PixelSize, TimeInterval
from denoisplit.core.images.claims import LARGE
from denoisplit.core.images.io import open_image
from denoisplit.core.images.scaled import as_dtype
from denoisplit.core.prediction.files.spool import spool_of
from denoisplit.core.storage.image_files import installed_formats, save_image
from tests.e2e.experiment import Experiment

NAMES = ("a.tif", "a.ome.tif", "a.ome.zarr", "a.zarr", "a.h5", "a.mrc", "a.npz")
WORDS = "mean,std,chi_square,total_std,interval=0.5"


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file is taken for a large one."""
    monkeypatch.setattr(lazy, "LAZY_FROM", 1)


def movie() -> Image:
    data = np.random.default_rng(0).normal(200, 50, (2, 41, 26)).astype(np.float32)
    size, interval = PixelSize((0.25, 0.125)), TimeInterval(2.5, "s")
    return Image(data=data, axes="tyx", pixel_size=size, time_interval=interval)


@pytest.mark.parametrize("dtype", ["float32", "uint16"])
@pytest.mark.usefixtures("large")
def test_a_file_has_the_bits_of_a_prediction_in_memory(
    run: denoisplit.Run, tmp_path: Path, dtype: str
) -> None:
    taken = movie()
    expected = run.predict(taken.pixels, axes="tyx", samples=3, tile=24, output=WORDS)
    # An array has no pixel size, which the verdict of a file takes into account.
    save_image(tmp_path / "known.h5", taken)
    verdict = run.predict(tmp_path / "known.h5", samples=3, tile=24, output=WORDS).verdict
    whole = as_dtype(expected.to_image(), dtype)
    for name in NAMES:
        save_image(tmp_path / name, taken)
        out = tmp_path / "out" / name
        found = run.predict_file(
            tmp_path / name, out, dtype=dtype, samples=3, tile=24, output=WORDS, workers=2
        )
        written = open_image(out, installed_formats())
        np.testing.assert_array_equal(written.pixels, whole.pixels, err_msg=name)
        assert written.channel_names == found.layout.channel_names == whole.channel_names
        assert (written.pixel_size, written.time_interval) == (taken.pixel_size, taken.time_interval)
        assert written.intensity_scale == whole.intensity_scale
        assert (found.seam_score, found.samples) == (expected.seam_score, expected.samples)
        assert found.verdict == attrs.evolve(verdict, chi_square_map=None), name
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(NAMES)


@pytest.mark.usefixtures("large")
def test_a_number_of_samples_is_chosen_without_the_whole_image(run: denoisplit.Run, tmp_path: Path) -> None:
    save_image(tmp_path / "a.h5", movie())
    found = run.predict_file(tmp_path / "a.h5", tmp_path / "out.h5", samples="auto:0.5", tile=24)
    assert found.samples == run.predict(tmp_path / "a.h5", samples="auto:0.5", tile=24).samples


@pytest.mark.parametrize("series", [True, False])
@pytest.mark.usefixtures("large")
def test_sums_over_labels_in_a_file(run: denoisplit.Run, tmp_path: Path, series: bool) -> None:
    taken = movie()
    labels = np.zeros((2, 41, 26), np.uint16)
    labels[0, 3:30, 4:20], labels[1, 10:12], labels[:, 35:, 20:] = 7, 300, 2
    given = labels if series else labels[0]
    save_image(tmp_path / "a.h5", taken)
    save_image(tmp_path / "labels.tif", Image(data=given, axes="tyx" if series else "yx"))
    found = run.predict_file(
        tmp_path / "a.h5", tmp_path / "out.h5", labels=tmp_path / "labels.tif", samples=2, tile=16
    )
    expected = run.predict(tmp_path / "a.h5", labels=given, samples=2, tile=16)
    assert found.sums == expected.sums


@pytest.mark.usefixtures("large")
def test_background_and_ceiling_are_those_of_the_whole_image(experiment: Experiment, tmp_path: Path) -> None:
    run = denoisplit.train(
        experiment.spec,
        tmp_path / "run",
        overrides=["data.background={quantile: 0.1}", "data.clip={quantile: 0.99}"],
    )
    pixels = movie().pixels[0]
    save_image(tmp_path / "a.ome.zarr", Image(data=pixels, axes="yx"))
    run.predict_file(tmp_path / "a.ome.zarr", tmp_path / "out.h5", tile=16)
    written = open_image(tmp_path / "out.h5", installed_formats()).pixels
    np.testing.assert_array_equal(written, run.predict(pixels, tile=16).to_image().pixels)


def test_only_finished_tiles_are_left_of_a_prediction_that_stops(run: denoisplit.Run, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == total // 2:
            raise KeyboardInterrupt

    out = tmp_path / "out.ome.zarr"
    for dtype in ("float32", "uint16"):
        with pytest.raises(KeyboardInterrupt):
            run.predict_file(movie().pixels, out, axes="tyx", dtype=dtype, tile=16, progress=stop)
        assert list(tmp_path.iterdir()) == [spool_of(out)]
    run.predict_file(movie().pixels, out, axes="tyx", tile=16)
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize(("large", "told"), [(LARGE, False), (4000, True)])
def test_a_format_that_is_written_whole_says_so_of_large_results_alone(
    run: denoisplit.Run,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    large: int,
    told: bool,
) -> None:
    monkeypatch.setattr("denoisplit.core.prediction.files.in_file.LARGE", large)
    run.predict_file(movie().pixels, tmp_path / "out.npz", axes="tyx")
    assert ("written whole" in caplog.text) is told
