"""TIFF files can hold what JPEG left of an image; whoever learns from them is told."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from denoisplit.core.spec import ResolvedSpec
from denoisplit.core.training.data.data_check import check_data
from denoisplit.core.training.data.prepare import read_fields
from tests.survey.pictures import light
from tests.training.test_blank_frames import spec

FOLDER = "{use: folder, path: PLACE, observed: a*.tif}"
FILES = "{use: channel_files, path: PLACE, observed: [a*.tif]}"


def compressed(folder: Path, train: str, compression: str | None) -> ResolvedSpec:
    rng = np.random.default_rng(0)
    for number in range(2):
        photons = rng.poisson(light(64, seed=number)).clip(0, 255).astype(np.uint8)
        tifffile.imwrite(
            folder / f"a{number}.tif", photons, compression=compression, photometric="minisblack"
        )
    return spec(folder, train, "[nuclei]")


@pytest.mark.parametrize("train", [FOLDER, FILES])
def test_jpeg_in_tiff_is_told(tmp_path: Path, train: str, caplog: pytest.LogCaptureFixture) -> None:
    chosen = compressed(tmp_path, train, "jpeg")
    assert len(read_fields(chosen.data.train, chosen.channels)) == 2
    (told,) = caplog.messages
    assert told.startswith(f"{tmp_path}/a0.tif and 1 more: compressed with JPEG, which keeps no exact pixels")
    assert told in check_data(chosen).warnings


@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
def test_exact_pixels_are_no_matter(
    tmp_path: Path, compression: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    chosen = compressed(tmp_path, FOLDER, compression)
    read_fields(chosen.data.train, chosen.channels)
    assert not caplog.messages
