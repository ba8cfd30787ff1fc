"""``denoisplit data check``: what was matched, what is odd about it, and what keeps it from being trained."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner, Result
from scipy.ndimage import gaussian_filter

from denoisplit.cli import main
from denoisplit.core.arrays import AnyArray, FloatArray
from denoisplit.core.images import block_walks, lazy
from denoisplit.core.images.lazy import LazyPixels

SPEC = """
preset: denoisplit
channels: [mito, actin]
data:
  train: {use: folder, path: train}
  validation: {use: folder, path: held}
training: {patch: 16}
"""


def write(path: Path, image: FloatArray, *, size: float = 0.1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    known = {"axes": "CYX", "unit": "um"}
    tifffile.imwrite(
        path, image.astype(np.uint16), imagej=True, resolution=(1 / size, 1 / size), metadata=known
    )


def counts(seed: int, side: int = 48) -> FloatArray:
    return np.random.default_rng(seed).poisson([[[90.0]], [[70.0]]], (2, side, side)).astype(np.float32)


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    for number in range(4):
        write(tmp_path / "train" / f"f{number}.tif", counts(number))
    write(tmp_path / "held" / "g.tif", counts(9))
    file = tmp_path / "spec.yaml"
    file.write_text(SPEC, encoding="utf-8")
    return file


def checked(spec: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["data", "check", str(spec), *arguments])


def test_good_images_are_listed_with_their_sizes_and_intensities(spec: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "out" / "sheet.png"
    result = checked(spec, "--sheet", str(sheet))
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == "The channels of a field go together; the mixed image is the mean of the channels."
    assert "train: 4 fields" in lines
    assert "  f0.tif: 48 x 48 px, 0.1 x 0.1 µm per px, uint16" in lines
    row = next(line for line in lines if line.startswith("  mito")).split()
    everything = np.stack([counts(n)[0] for n in range(4)])
    expected = [everything.min(), np.median(everything), np.quantile(everything, 0.99), everything.max()]
    np.testing.assert_allclose([float(cell) for cell in row[1:5]], expected, rtol=1e-5)
    assert "Nothing wrong was found." in lines
    assert sheet.read_bytes().startswith(b"\x89PNG")


def test_what_is_odd_is_said_and_does_not_fail(spec: Path, tmp_path: Path) -> None:
    saturated = np.minimum(counts(5), 95)
    saturated[1] //= 30
    write(tmp_path / "train" / "f5.tif", saturated, size=0.2)
    write(tmp_path / "train" / "f6.tif", counts(0))
    result = checked(spec, "--set", "data.train.observed='f[56].tif'")
    assert result.exit_code == 0
    said = result.stdout.partition("Warnings:")[2]
    assert "train: only 2 fields." in said
    assert "train (mito, actin): up to " in said
    assert "They look saturated" in said
    assert "The fields differ in pixel size: 0.2 x 0.2 µm (1 field), 0.1 x 0.1 µm (2 fields)." in said
    said = checked(spec, "--set", "data.train.observed=f5.tif").stdout.partition("Warnings:")[2]
    assert "train: actin is much fainter than mito" in said
    assert "train: only 1 field." in said
    said = checked(spec).stdout.partition("Warnings:")[2]
    assert "train: f6.tif has the same pixels as f0.tif. Remove one of them." in said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("data.validation.path=nowhere", "nowhere: there is no such folder"),
        (
            "training.patch=64",
            "field 'f0.tif' and 3 more: smaller than a patch of (64, 64) pixels (got (48, 48))",
        ),
        ("channels=[a, b, c]", "expected 3 channels (got 2)"),
        ("data.validation.path=copies", "show the same pixels"),
    ],
)
def test_what_cannot_be_trained_is_an_error_and_the_rest_is_still_listed(
    spec: Path, tmp_path: Path, change: str, words: str
) -> None:
    write(tmp_path / "copies" / "crop.tif", counts(2)[:, 3:, 4:45])
    result = checked(spec, "--set", change)
    assert result.exit_code == 2
    assert words in result.stdout.partition("Errors:")[2]
    if "channels" not in change:
        assert "train: 4 fields" in result.stdout


def test_one_fault_of_two_splits_is_told_once(spec: Path, tmp_path: Path) -> None:
    said = checked(spec, "--set", "data.validation.path=train").stdout
    errors = said.partition("Errors:\n")[2].splitlines()
    assert len(errors) == 1
    assert "train field 'f0.tif' and validation field 'f0.tif' have the same pixels" in errors[0]
    assert "exposures" not in said
    (tmp_path / "train" / "f1.tif").write_bytes(b"II*")
    said = checked(spec, "--set", "data.validation.path=train").stdout
    assert len(said.partition("Errors:\n")[2].splitlines()) == 1


def test_structures_of_different_fields_are_named_as_such(tmp_path: Path) -> None:
    for number in range(5):
        write(tmp_path / "mito" / f"m{number}.tif", counts(number)[:1])
        write(tmp_path / "actin" / f"a{number}.tif", counts(20 + number)[:1])
    write(tmp_path / "actin" / "a9.tif", counts(30)[:1])
    file = tmp_path / "spec.yaml"
    text = SPEC.replace("{use: folder, path: train}", "{use: separate_channels, path: .}")
    file.write_text(text.replace("  validation: {use: folder, path: held}\n", ""), encoding="utf-8")
    result = checked(file, "--all")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("Channels come from different fields: every training patch is the mean")
    assert "observed actin: " in result.stdout
    assert "of 5 of mito, 6 of actin, 5 of each are used" in result.stdout


def test_large_files_are_checked_piece_by_piece(
    spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lazy, "LAZY_FROM", 1)
    monkeypatch.setattr(block_walks, "PICTURE", 24)
    monkeypatch.setattr(block_walks, "BLOCK_PIXELS", 100)
    write(tmp_path / "train" / "f5.tif", np.minimum(counts(5), 95))
    whole = checked(spec)
    sizes: list[int] = []
    read = LazyPixels._pixels

    def noted(self: LazyPixels, region: tuple[slice, ...]) -> AnyArray:
        found = read(self, region)
        sizes.append(found.size)
        return found

    monkeypatch.setattr(LazyPixels, "_pixels", noted)
    sheet = tmp_path / "sheet.png"
    large = checked(
        spec,
        *("--sheet", str(sheet)),
        *("--set", "data.train.memory=0"),
        *("--set", "data.validation.memory=0"),
    )
    assert (large.exit_code, large.stderr) == (whole.exit_code, whole.stderr) == (0, "")
    assert "train (mito): up to " in whole.stdout
    expected = whole.stdout.replace("uint16\n", "uint16, read piece by piece\n")
    assert large.stdout == f"{expected}\nThumbnails: {sheet}\n"
    # A block of at most 100 pixels, with both channels of it, of the 4608 of a field; the search for overlaps
    # reads bands of whole rows.
    assert 0 < max(sizes) <= 2 * 48 * 32


def test_images_that_deceive_are_told(spec: Path, tmp_path: Path) -> None:
    for number in range(4):
        image = counts(number)
        image[0] = np.maximum(image[0] - 90, 0) * 2  # a background is cut off, at two counts per photon
        image[1] = (image[1] + np.roll(image[1], 1, axis=1) + 1) // 2  # and noise is smeared
        if number == 2:
            image[1, 30, 7] = 60000
        write(tmp_path / "train" / f"f{number}.tif", image)
    result = checked(spec)
    assert result.exit_code == 0
    said = result.stdout.split("Warnings:")[1]
    assert "train, mito: 5" in said
    assert "% of the pixels are exactly 0, the lowest value. It looks as if a background had been" in said
    assert "train, actin: the noise of neighbouring pixels is correlated (0.4" in said
    assert "train, f2.tif: 1 hot pixel (row 30 column 7), replaced by the median of the neighbours" in said


def test_exposures_of_one_place_in_two_data_sets_are_an_error(spec: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    light = gaussian_filter(rng.random((2, 48, 48)) ** 8, (0, 2, 2)) * 800
    write(tmp_path / "train" / "f2.tif", rng.poisson(light).astype(np.float32))
    write(tmp_path / "held" / "g.tif", rng.poisson(light).astype(np.float32))
    result = checked(spec)
    assert result.exit_code == 2
    assert "train field 'f2.tif' and validation field 'g.tif' are exposures of one place" in result.stdout


@pytest.mark.parametrize(
    ("scale", "level", "line"),
    [(1.0, 0.0, ""), (1.1, 0.0, ""), (1 / 4096, 0.0, "noisy is about 40"), (1.0, -900.0, " x clean + ")],
)
def test_clean_images_in_other_counts_are_told(
    spec: Path, tmp_path: Path, scale: float, level: float, line: str
) -> None:
    rng = np.random.default_rng(0)
    for number in range(4):
        scene = gaussian_filter(rng.random((2, 48, 48)) ** 8, (0, 4, 4)) * 8000 + 100
        write(tmp_path / "train" / f"f{number}.tif", rng.poisson(scene).astype(np.float32))
        (tmp_path / "clean").mkdir(exist_ok=True)
        clean = (scene * scale + level).astype(np.float32)
        tifffile.imwrite(tmp_path / "clean" / f"f{number}.tif", clean, imagej=True, metadata={"axes": "CYX"})
    said = checked(
        spec, "--set", "data.train.observed=f*.tif", "--set", "data.train.clean=../clean/f*.tif"
    ).stdout
    assert "train: 4 fields" in said
    told = [one for one in said.splitlines() if "in other counts than the noisy ones" in one]
    assert len(told) == (2 if line else 0)
    assert all(line in one for one in told), told


def test_partners_of_other_fields_are_told(spec: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    scenes = [gaussian_filter(rng.random((2, 48, 48)) ** 8, (0, 2, 2)) * 800 + 100 for _ in range(4)]
    for number, scene in enumerate(scenes):
        write(tmp_path / "train" / f"f{number}.tif", rng.poisson(scene).astype(np.float32))
        write(tmp_path / "right" / f"f{number}.tif", scene)
        write(tmp_path / "wrong" / f"f{number}.tif", scenes[(number + 1) % 4])
    asked = ("--set", "data.train.observed=f*.tif", "--set")
    assert "instead" not in checked(spec, *asked, "data.train.clean=../right/f*.tif").stdout
    said = checked(spec, *asked, "data.train.clean=../wrong/f*.tif").stdout
    assert "train: the clean image of f0.tif shows f1.tif instead. Correct the names of the files." in said
    assert said.count("instead") == 4
