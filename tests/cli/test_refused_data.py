"""``denoisplit data check`` says what training would refuse, and what is odd about the images."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner, Result

from denoisplit.cli import main
from denoisplit.core.arrays import AnyArray

SPEC = """
spec_version: 1
preset: denoisplit
channels: [actin, tubulin]
data:
  train: {use: folder, path: images, observed: "*.tif"}
  validation_fraction: 0.4
  noise_pairs: bootstrap
model:
  encoder: {levels: 2, width: 4}
  decoder: {latent_channels: 2}
training: {batch: 1, patch: 16}
"""

Check = Callable[..., Result]


def field(seed: int, shape: tuple[int, ...] = (2, 32, 32)) -> AnyArray:
    return np.random.default_rng(seed).poisson(100, shape).astype(np.float32)


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Check:
    """Check the spec of three images with changed settings, after a change of the images."""
    monkeypatch.chdir(tmp_path)
    Path("images").mkdir()
    Path("spec.yaml").write_text(SPEC, encoding="utf-8")

    def checked(*settings: str, spoil: Callable[[AnyArray], AnyArray] = np.asarray) -> Result:
        for number in range(3):
            pixels = spoil(field(number))
            axes = "CYX" if pixels.ndim == 3 else "CZYX"
            tifffile.imwrite(f"images/{number}.tif", pixels, metadata={"axes": axes})
        changes = [word for setting in settings for word in ("--set", setting)]
        return CliRunner().invoke(main, ["data", "check", "spec.yaml", *changes])

    return checked


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("data.noise_pairs=clean", "$.data.noise_pairs: no training field has clean"),
        ("data.noise_pairs=repeats", "$.data.noise_pairs: no training field has repeats"),
        ("data.degradation={poisson: 1}", "$.data.degradation.poisson: an image has negative counts"),
        ("model.noise_model={use: scmos, gain: map.tif}", "the maps have 16 x 16 pixels, the image 32 x 32"),
        ("model.noise_model={use: scmos, gain: nowhere.tif}", "nowhere.tif: there is no such file"),
    ],
)
def test_what_training_would_refuse_about_noise_is_an_error(check: Check, setting: str, said: str) -> None:
    tifffile.imwrite("map.tif", np.ones((16, 16), np.float32))
    told = check(setting, spoil=lambda pixels: pixels - 90)
    assert told.exit_code == 2
    assert said in told.stdout
    trained = CliRunner().invoke(main, ["train", "spec.yaml", "--out", "run", "--set", setting])
    assert trained.exit_code == 2
    assert said in trained.stderr


@pytest.mark.parametrize(
    "settings",
    [
        ["data.noise_pairs=clean", "data.degradation={gaussian: 3}"],
        ["data.noise_pairs=repeats", "model.noise_model={use: gaussian}"],
        ["model.noise_model={use: scmos, gain: map.tif}"],
        ["data.degradation={poisson: 1}"],
    ],
)
def test_noise_that_training_can_use_is_none(check: Check, settings: list[str]) -> None:
    tifffile.imwrite("map.tif", np.ones((32, 32), np.float32))
    told = check(*settings)
    assert told.exit_code == 0, told.output


def test_two_channels_of_the_same_pixels_are_told_in_one_line(check: Check) -> None:
    for told in (
        check(spoil=lambda pixels: pixels[[0, 0]]),
        check("data.train.channel_index=[0, 0]"),
    ):
        assert told.exit_code == 0
        assert told.stdout.count("have the same pixels") == 1
        assert "actin and tubulin have the same pixels in 3 of 3 fields" in told.stdout

    def last_pixel_differs(pixels: AnyArray) -> AnyArray:
        pixels[1] = pixels[0]
        pixels[1, -1, -2] += 1
        return pixels

    assert "have the same pixels" not in check(spoil=last_pixel_differs).stdout


@pytest.mark.parametrize(
    ("shape", "dimensions", "advice"),
    [
        ((2, 8, 64, 64), 3, "[8, 32, 32]"),
        ((2, 64, 24, 28), 3, "[32, 24, 24]"),
        ((2, 16, 16, 16), 3, "16"),
        ((2, 24, 64), 2, "24"),
    ],
)
def test_a_patch_that_fits_into_small_images_is_advised(
    check: Check, shape: tuple[int, ...], dimensions: int, advice: str
) -> None:
    told = check(
        f"model.dimensions={dimensions}", "training.patch=32", spoil=lambda pixels: field(pixels.size, shape)
    )
    assert told.exit_code == 2
    assert f"Lower training.patch to {advice} or less" in told.stdout


def test_a_hot_pixel_of_all_channels_is_listed_once(check: Check) -> None:
    def hot(pixels: AnyArray) -> AnyArray:
        pixels = field(int(pixels[0, 0, 0]), (2, 64, 64))
        pixels[:, 7, 9] = 60_000
        pixels[:, 20, 11] = 60_000
        return pixels

    told = check(spoil=hot).stdout
    assert "2 hot pixels (row 7 column 9, row 20 column 11), replaced" in told
