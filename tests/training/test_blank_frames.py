"""Frames of a movie in which nothing was recorded do not stop a training."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from denoisplit.core.errors import ImageError
from denoisplit.core.registry import installed_registry
from denoisplit.core.spec import ResolvedSpec, parse_spec, resolve
from denoisplit.core.training.data.data_check import check_data
from denoisplit.core.training.data.prepare import read_fields
from tests.survey.pictures import field, write

FOLDER = "{use: folder, path: PLACE, observed: a.tif, clean: a_clean.tif}"
FILES = "{use: channel_files, path: PLACE, observed: [a0.tif, a1.tif], clean: [a0_clean.tif, a1_clean.tif]}"
DRAWN = "{use: separate_channels, path: PLACE, observed: [a0.tif, a1.tif]}"


def spec(folder: Path, train: str, channels: str = "[nuclei, actin]") -> ResolvedSpec:
    text = f"preset: denoisplit\nchannels: {channels}\ndata: {{train: {train}}}"
    return resolve(parse_spec(text.replace("PLACE", "."), folder=folder), installed_registry())


def movie(folder: Path, blank: dict[int, Any], *, frames: int = 4) -> None:
    """A movie of two channels, in one file and in a file for each channel."""
    pairs = [field(48, seed=seed) for seed in range(frames)]
    for kind, images in zip(("", "_clean"), (np.stack(own) for own in zip(*pairs, strict=True)), strict=True):
        for number, channels in blank.items():
            images[number, channels] = 100
        write(folder / f"a{kind}.tif", images, "tcyx")
        for channel in range(2):
            write(folder / f"a{channel}{kind}.tif", images[:, channel], "tyx")


@pytest.mark.parametrize("train", [FOLDER, FILES])
def test_a_frame_with_a_blank_channel_is_left_out_and_named(
    tmp_path: Path, train: str, caplog: pytest.LogCaptureFixture
) -> None:
    movie(tmp_path, {})
    chosen = spec(tmp_path, train)
    every = read_fields(chosen.data.train, chosen.channels)
    assert not caplog.messages
    movie(tmp_path, {1: 0, 3: slice(None)})
    rest = read_fields(chosen.data.train, chosen.channels)
    assert [one.name for one in rest] == [every[0].name, every[2].name]
    for one, other in zip(rest, every[::2], strict=True):
        np.testing.assert_array_equal(one.observed, other.observed)
    (told,) = caplog.messages
    assert every[1].name in told
    assert every[3].name in told
    report = check_data(chosen)
    assert told in report.warnings
    assert not any("all pixels are equal" in error for error in report.errors)


def test_images_drawn_for_each_other_are_left_out_too(tmp_path: Path) -> None:
    movie(tmp_path, {1: 0})
    chosen = spec(tmp_path, DRAWN)
    assert len(read_fields(chosen.data.train, chosen.channels)) == 3


@pytest.mark.parametrize("train", [FOLDER, FILES, DRAWN])
@pytest.mark.parametrize("frames", [1, 3])
def test_without_any_other_frame_they_are_refused(tmp_path: Path, train: str, frames: int) -> None:
    movie(tmp_path, dict.fromkeys(range(frames), 1), frames=frames)
    chosen = spec(tmp_path, train)
    with pytest.raises(ImageError, match="all pixels"):
        read_fields(chosen.data.train, chosen.channels)
