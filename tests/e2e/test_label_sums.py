"""Sums over labelled regions, from training to the table."""

import csv
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import tifffile

import denoisplit
from denoisplit.core.errors import ImageError
from denoisplit.core.images.bases import Image
from denoisplit.core.prediction.outputs.posterior import draw_samples
from denoisplit.core.spec.records import PredictionSpec
from denoisplit.core.storage.image_files import save_image
from denoisplit.core.sums.label_sums import LabelSum
from denoisplit.plugins.calibrators.region import Region
from tests.cli.refusals import refused
from tests.cli.refusals import run as command

SPEC = """
spec_version: 1
preset: denoisplit
channels: [filaments, mitochondria]
data:
  train: {use: simulated, fields: 2, size: 48, seed: 1}
  validation: {use: simulated, fields: 3, size: 96, seed: 2}
  test: {use: simulated, fields: 4, size: 96, seed: 3}
model:
  encoder: {levels: 2, width: 6, dropout: 0.0}
  decoder: {latent_channels: 3, dropout: 0.0}
  noise_model: {use: gaussian}
region_calibrator: {sides: [4, 8, 16]}
training: {steps: 40, batch: 2, patch: 32, learning_rate: 3e-3, validate_every: 20, precision: float32}
prediction: {samples: 12}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("sums")
    (path / "spec.yaml").write_text(SPEC, encoding="utf-8")
    denoisplit.train(path / "spec.yaml", path / "run")
    rng = np.random.default_rng(0)
    mixed = rng.uniform(90, 130, (96, 96)).astype(np.float32)
    labels = np.zeros((96, 96), dtype=np.uint16)
    labels[5:15, 5:15], labels[30:32, 40:42], labels[40:90, 10:80] = 4, 1, 9
    tifffile.imwrite(path / "mixed.tif", mixed)
    tifffile.imwrite(path / "cells.tif", labels)
    return path


@pytest.fixture(scope="module")
def run(folder: Path) -> denoisplit.Run:
    return denoisplit.load(folder / "run")


def test_the_intervals_of_new_fields_hold_after_calibration_and_not_before(folder: Path) -> None:
    numbers = folder / "scores.json"
    result = command("evaluate", folder / "run", "--json", numbers)
    assert result.exit_code == 0, result.output
    assert "calibrated" in result.stdout
    before, after = (
        [
            covered["fraction"]
            for row in json.loads(numbers.read_text())["regions"]
            if row["regions"] in ("4 x 4 px", "16 x 16 px")
            for covered in row[how]["coverage"]
            if covered["level"] == 0.68
        ]
        for how in ("joint", "calibrated")
    )
    assert max(before) < 0.55
    np.testing.assert_allclose(after, 0.68, atol=0.16)
    assert np.mean(after) == pytest.approx(0.68, abs=0.08)


def test_the_table_has_the_sums_of_the_samples_and_their_intervals(run: denoisplit.Run, folder: Path) -> None:
    out = folder / "split.ome.tif"
    result = command(
        "predict", folder / "run", folder / "mixed.tif", "--out", out, "--labels", folder / "cells.tif"
    )
    assert result.exit_code == 0, result.output
    table = folder / "split.sums.csv"
    assert f"{table}: 6 sums, " in result.stdout
    assert "2: No calibration: smaller than 4 x 4 px." in " ".join(result.stdout.split())
    with table.open(encoding="utf-8") as file:
        rows = {(row["label"], row["channel"]): row for row in csv.DictReader(file)}
    assert list(rows) == [(label, name) for label in "149" for name in run.spec.channels]
    mixed = tifffile.imread(folder / "mixed.tif")
    samples = draw_samples(
        run.vse, run.bundle.conditioned(mixed), PredictionSpec(samples=12, seed=run.spec.prediction.seed)
    )
    assert run.bundle.region_calibration is not None
    calibrator = Region(Region.Options(sides=(4, 8, 16)))
    for channel, name in enumerate(run.spec.channels):
        sums = samples[:, channel, 5:15, 5:15].sum((1, 2), dtype=np.float64)
        row = rows["4", name]
        assert float(row["sum"]) == pytest.approx(sums.mean(), rel=1e-6)
        assert float(row["std"]) == pytest.approx(sums.std(ddof=1), rel=1e-6)
        known = calibrator.sum_interval(run.bundle.region_calibration, channel=channel, pixels=100, level=0.9)
        assert known.half_width is not None
        half = known.half_width * sums.std(ddof=1)
        assert float(row["low_90"]) == pytest.approx(sums.mean() - half, rel=1e-5)
        assert float(row["high_90"]) == pytest.approx(sums.mean() + half, rel=1e-5)
        assert (row["holds"], row["note"]) == (("yes" if known.holds else "no"), known.note)
        for other, said in (("1", "smaller than 4 x 4 px"), ("9", "larger than 16 x 16 px")):
            outside = rows[other, name]
            assert (outside["calibrated_std"], outside["low_90"], outside["holds"]) == ("", "", "no")
            assert said in outside["note"]
    elsewhere = ("--out", folder / "split.tif", "--labels", folder / "cells.tif")
    again = command("predict", folder / "run", folder / "mixed.tif", *elsewhere)
    refused(again, f"{table}: exists already")


def test_tiles_and_workers_change_no_sum(run: denoisplit.Run, folder: Path) -> None:
    labels, mixed = tifffile.imread(folder / "cells.tif"), tifffile.imread(folder / "mixed.tif")
    one, two, whole = (
        run.predict(mixed, samples=3, tile=tile, workers=workers, labels=labels).sums
        for tile, workers in ((32, 1), (32, 2), (0, 1))
    )
    assert one == two
    assert one is not None
    assert whole is not None
    for tiled, single in zip(one.rows, whole.rows, strict=True):
        assert tiled.sum == pytest.approx(single.sum, rel=1e-5)


def test_every_plane_of_a_series_has_its_rows(run: denoisplit.Run, folder: Path) -> None:
    mixed, labels = tifffile.imread(folder / "mixed.tif")[:32, :32], np.zeros((3, 32, 32), dtype=np.int32)
    labels[0, :4, :4], labels[2, 5:9, 5:9] = 3, 8
    found = run.predict(np.stack([mixed] * 3), axes="tyx", samples=2, labels=labels).sums
    assert found is not None
    assert found.axes == "t"
    assert [(row.position, row.label) for row in found.rows[::2]] == [((0,), 3), ((2,), 8)]
    alone = run.predict(mixed, samples=2, labels=labels[2]).sums
    assert alone is not None
    assert [row.sum for row in alone.rows] == [row.sum for row in found.rows[2:]]


def test_without_labels_there_are_no_sums(run: denoisplit.Run, folder: Path) -> None:
    prediction = run.predict(tifffile.imread(folder / "mixed.tif")[:16, :16], samples=2)
    assert prediction.sums is None
    with pytest.raises(denoisplit.DenoisplitError, match="there are no sums to write"):
        prediction.save_sums(folder / "none.csv")


def _of_one_place(shape: tuple[int, ...], place: tuple[int, ...]) -> npt.NDArray[np.uint16]:
    """Labels with a single region, in the plane at one place."""
    labels = np.zeros(shape, dtype=np.uint16)
    labels[place][3:9, 5:20] = 1
    return labels


def _rows(found: denoisplit.Prediction) -> tuple[LabelSum, ...]:
    assert found.sums is not None
    return found.sums.rows


@pytest.mark.parametrize(
    ("axes", "shape", "where"),
    [
        ("ztyx", (2, 3, 24, 32), {(2, 1)}),
        ("tzyx", (3, 2, 24, 32), {(2, 1)}),
        ("zyx", (2, 24, 32), {(0, 1), (1, 1), (2, 1)}),
        ("tyx", (3, 24, 32), {(2, 0), (2, 1)}),
        ("yx", (24, 32), {(t, z) for t in range(3) for z in range(2)}),
    ],
)
def test_labels_lie_where_their_axes_say(
    run: denoisplit.Run, tmp_path: Path, axes: str, shape: tuple[int, ...], where: set[tuple[int, int]]
) -> None:
    """The image is z, then t; the result is t, then z, as are the places of the sums."""
    image = np.random.default_rng(5).uniform(90, 130, (2, 3, 24, 32)).astype(np.float32)
    save_image(tmp_path / "image.ome.tif", Image(data=image, axes="ztyx", channel_names=()))
    labels = _of_one_place(shape, tuple({"t": 2, "z": 1}[letter] for letter in axes[:-2]))
    save_image(tmp_path / "labels.ome.tif", Image(data=labels, axes=axes, channel_names=()))
    found = run.predict(tmp_path / "image.ome.tif", samples=2, labels=tmp_path / "labels.ome.tif")
    assert {row.position for row in _rows(found)} == where
    for row in _rows(found):
        (t, z), channel = row.position, run.spec.channels.index(row.channel)
        assert row.sum == pytest.approx(
            float(found.mean[t, channel, z, 3:9, 5:20].sum(dtype=float)), rel=1e-5
        )


@pytest.mark.parametrize("ending", ["npy", "tif"])
def test_labels_without_axes_have_those_of_the_image_that_has_their_shape(
    run: denoisplit.Run, tmp_path: Path, ending: str
) -> None:
    image = np.random.default_rng(5).uniform(90, 130, (2, 3, 24, 32)).astype(np.float32)
    labels = _of_one_place((2, 3, 24, 32), (1, 2))
    path = tmp_path / f"labels.{ending}"
    np.save(path, labels) if ending == "npy" else tifffile.imwrite(path, labels, photometric="minisblack")
    known = run.predict(image, axes="ztyx", samples=2, labels=labels)
    found = run.predict(image, axes="ztyx", samples=2, labels=path)
    assert {row.position for row in _rows(found)} == {row.position for row in _rows(known)} == {(2, 1)}
    assert [row.sum for row in _rows(found)] == [row.sum for row in _rows(known)]
    turned = run.predict(image.T[..., 0, 0], axes="xy", samples=2, labels=labels[1, 2].T)
    assert _rows(turned)[0].sum == pytest.approx(float(turned.mean[0, 3:9, 5:20].sum(dtype=float)), rel=1e-5)


def test_labels_with_an_axis_that_the_image_lacks_are_refused(run: denoisplit.Run, tmp_path: Path) -> None:
    labels = Image(data=_of_one_place((3, 24, 32), (1,)), axes="tyx", channel_names=())
    save_image(tmp_path / "labels.ome.tif", labels)
    with pytest.raises(
        ImageError, match=r"labels of array: axis t: it cannot be dropped \(got 3 positions\)"
    ):
        run.predict(np.ones((24, 32), dtype=np.float32), samples=2, labels=tmp_path / "labels.ome.tif")


def test_an_image_without_cells_is_split_like_the_others(folder: Path, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "none.tif", np.zeros((96, 96), dtype=np.uint16))
    words = (
        "predict",
        folder / "run",
        folder / "mixed.tif",
        "--samples",
        "2",
        "--out",
        tmp_path / "a.ome.tif",
    )
    result = command(*words, "--labels", tmp_path / "none.tif")
    assert result.exit_code == 0, result.output
    table = tmp_path / "a.sums.csv"
    assert f"{table}: no sums: there is no region in the label image (got only 0)." in result.stdout
    assert len(table.read_text(encoding="utf-8").splitlines()) == 1
    labels = [word for number in range(4) for word in ("--labels", _of_field(tmp_path, number))]
    found = command("evaluate", folder / "run", "--samples", "2", *labels)
    assert found.exit_code == 0, found.output
    assert "labels" in found.stdout


def _of_field(folder: Path, number: int) -> Path:
    """Labels with two regions, of the last field with none."""
    labels = np.zeros((96, 96), dtype=np.uint16)
    labels[10:20, 10:20], labels[40:60, 40:60] = (1, 2) if number < 3 else (0, 0)
    tifffile.imwrite(folder / f"field{number}.tif", labels)
    return folder / f"field{number}.tif"
