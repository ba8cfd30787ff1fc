"""Many images in one call: each gets its file, what fails is told, and a table keeps what became of them."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner

import denoisplit
from denoisplit.cli import main
from denoisplit.core.errors import ImageError
from denoisplit.core.images.bases import Image
from denoisplit.core.prediction.files.items import Item, items
from denoisplit.core.prediction.files.many import predict_items
from denoisplit.core.prediction.outputs.result import Prediction
from denoisplit.core.prediction.progress import Progress
from denoisplit.core.storage.image_files import save_image
from tests.cli.refusals import noise, refused
from tests.cli.refusals import run as command
from tests.e2e.experiment import Experiment
from tests.reading import opened


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder with three images, one of them broken, and others that are none."""
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("a.tif", "b.ome.tif"):
        tifffile.imwrite(folder / name, noise(24, 20))
    (folder / "broken.tif").write_bytes(b"II*\0")
    (folder / "notes.txt").write_text("none", encoding="utf-8")
    (folder / "old.tif").mkdir()  # is none, either
    (folder / ".hidden.tif").write_bytes(b"")
    return folder


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "predictions.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_folder_is_predicted_image_by_image_and_goes_on_where_it_stopped(
    experiment: Experiment, images: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    result = command("predict", experiment.run, images, "--out", out, "--samples", "2")
    assert result.exit_code == 1
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("failed")]
    assert str(images / "broken.tif") in line
    assert "3 images, 2 done, 1 failed" in result.stdout
    states = {Path(row["file"]).name: row["state"] for row in rows(out)}
    assert states == {"a.tif": "done", "b.ome.tif": "done", "broken.tif": "failed"}
    assert sorted(path.name for path in out.iterdir()) == ["a.ome.tif", "b.ome.tif", "predictions.csv"]

    alone = denoisplit.load(experiment.run).predict(images / "a.tif", samples=2).to_image()
    np.testing.assert_array_equal(tifffile.imread(out / "a.ome.tif"), alone.pixels)

    tifffile.imwrite(images / "broken.tif", noise(24, 20))
    before = (out / "a.ome.tif").stat().st_mtime_ns
    again = command("predict", experiment.run, images, "--out", out, "--samples", "2", "--resume")
    assert again.exit_code == 0
    assert "3 images, 1 done, 2 kept" in again.stdout
    assert (out / "a.ome.tif").stat().st_mtime_ns == before
    assert [row["state"] for row in rows(out)].count("done") == 3


def test_progress_counts_an_image_by_its_size(tmp_path: Path) -> None:
    told: list[float] = []
    listed = [Item(tmp_path / f"{size}.npy", tmp_path / "out" / f"{size}.tif") for size in (300, 50, 49)]
    for item, size in zip(listed, (300, 50, 50), strict=True):
        item.image.write_bytes(bytes(size))

    def predict(image: Path, out: Path, progress: Progress | None) -> Prediction:
        assert progress is not None
        progress(1, 2)
        raise ImageError("broken")

    def tell(done: int, whole: int) -> None:
        told.append(done / whole)

    predict_items(predict, listed, tmp_path / "out", inputs=[], settings="", progress=tell)
    assert told == [0.375, 0.75, 0.8125, 0.875, 0.9375, 1.0]


def test_results_of_other_settings_are_not_kept(experiment: Experiment, images: Path, tmp_path: Path) -> None:
    out, words = tmp_path / "out", ("predict", experiment.run, images / "a.tif", images / "b.ome.tif")
    assert command(*words, "--out", out, "--samples", "2").exit_code == 0
    before = (out / "a.ome.tif").read_bytes()
    for other in (
        ("--samples", "3"),
        ("--samples", "2", "--seed", "5"),
        ("--samples", "2", "--output", "mean"),
    ):
        refused(command(*words, "--out", out, *other, "--resume"), "predicted by another network, with other")
    assert (out / "a.ome.tif").read_bytes() == before
    # Nothing is known of a result that the table does not name.
    rows = (out / "predictions.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (out / "predictions.csv").write_text("".join(rows[:-1]), encoding="utf-8")
    again = command(*words, "--out", out, "--samples", "2", "--workers", "2", "--resume")
    assert "2 images, 1 done, 1 kept" in again.stdout


def test_results_of_other_images_of_the_same_name_are_not_kept(
    experiment: Experiment, images: Path, tmp_path: Path
) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    (images / "broken.tif").unlink()
    shutil.copytree(images, other, symlinks=True)
    words = ("--out", out, "--samples", "2", "--resume")
    for outcome in ("2 done", "2 kept"):
        assert outcome in command("predict", experiment.run, images, *words).stdout
    before = (out / "a.ome.tif").read_bytes()
    refused(command("predict", experiment.run, other, *words), "from another image than")
    tifffile.imwrite(images / "a.tif", noise(24, 20) + 1)
    refused(command("predict", experiment.run, images, *words), "as it is now")
    assert (out / "a.ome.tif").read_bytes() == before


def test_results_beside_the_images_are_refused(experiment: Experiment, images: Path) -> None:
    refused(command("predict", experiment.run, images, "--out", images), "holds the images themselves")


def test_patterns_tables_and_lists_name_the_same_images(images: Path, tmp_path: Path) -> None:
    listed = images / "list.csv"
    listed.write_text("file,comment\na.tif,good\nb.ome.tif,\n", encoding="utf-8")
    wanted = [images / "a.tif", images / "b.ome.tif"]
    for given in ([listed], wanted, [images / "[ab].*tif"], [images / "a.tif", images / "b.*"]):
        found = items(given, tmp_path)
        assert [item.image for item in found] == wanted
        assert [item.out.name for item in found] == ["a.ome.tif", "b.ome.tif"]
    (inside,) = items([images / "cells.h5" / "raw"], tmp_path, ".ome.zarr")
    assert inside.out.name == "cells.raw.ome.zarr"


def test_images_of_any_size_and_type_are_predicted_and_all_else_is_told(
    experiment: Experiment, tmp_path: Path
) -> None:
    folder, out = tmp_path / "mixed", tmp_path / "out"
    folder.mkdir()
    good = {"bytes": noise(20, 30).astype("u1"), "words": noise(64, 20).astype("u2"), "doubles": noise(9, 9)}
    bad = {"colours": noise(9, 9, 3).astype("u1"), "mask": noise(9, 9) > 200, "movie": noise(3, 9, 9)}
    for name, pixels in (good | bad).items():
        kind = "rgb" if name == "colours" else "minisblack"
        tifffile.imwrite(folder / f"{name}.tif", pixels, photometric=kind)
    (folder / "gone.tif").symlink_to(tmp_path / "nowhere.tif")
    result = command("predict", experiment.run, folder, "--out", out, "--samples", "2")
    assert result.exit_code == 1
    told = dict(zip(sorted([*bad, "gone"]), result.stderr.splitlines(), strict=True))
    for name, message in {
        "colours": "the image is an RGB picture",
        "gone": "there is no such file",
        "mask": "pixels must be real numbers (got bool)",
        "movie": "does not say what its axes are",
    }.items():
        assert told[name].startswith(f"failed: {folder / name}.tif: ")
        assert message in told[name]
    made = {path.name for path in out.iterdir()}
    assert made == {"predictions.csv", *(f"{name}.ome.tif" for name in good)}


def test_nothing_is_begun_that_would_go_wrong(
    experiment: Experiment, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"

    def refuse(message: str, *arguments: object) -> None:
        refused(command("predict", experiment.run, *arguments), message)
        assert not list(out.iterdir()) if out.is_dir() and message != "exists already" else True

    refuse("no image matches", images / "no*.tif", "--out", out)
    refuse("no image matches", images / "old*.tif", "--out", out)
    (tmp_path / "empty").mkdir()
    refuse("holds no image (got nothing)", tmp_path / "empty", "--out", out)
    for missing in ("list.csv", "no folder"):
        refuse(f"{missing}: there is no such ", images / missing, images, "--out", out)
    refuse("the results of several images need a folder", images, "--out", tmp_path / "one.ome.zarr")
    notes = images / "notes.txt"
    for taken in (notes, notes / "a"):
        what = f"{taken}: the results of several images need a folder (got the file {notes}). Give a folder."
        refuse(what, images, "--out", taken)
    monkeypatch.setattr("denoisplit.plugins.executors.dask._SECONDS", 0.2)
    refuse("no scheduler answers", images, "--out", out, "--scheduler", "tcp://127.0.0.1:9")
    refuse("Did you mean processes", images, "--out", out, "--executor", "procesess")
    assert not out.exists()
    tifffile.imwrite(images / "a.ome.tif", noise(24, 20))
    refuse("2 images would get the same name there (got a.ome.tif, a.tif)", images, "--out", out)
    (images / "a.ome.tif").unlink()
    out.mkdir()
    (out / "b.ome.tif").write_bytes(b"")
    refused(command("predict", experiment.run, images, "--out", out), "b.ome.tif", "exists already")
    (out / "b.ome.tif").unlink()
    (out / "predictions.csv").write_text("mine", encoding="utf-8")
    refused(
        command("predict", experiment.run, images, "--out", out),
        "a file that is not a table of predictions of denoisplit has this name",
    )
    (out / "predictions.csv").unlink()
    refused(
        command("predict", experiment.run, images / "*.tif", "--out", images), "b.ome.tif: is an input itself"
    )
    with pytest.raises(ImageError, match="no image was given"):
        items([], out)


def test_a_blank_frame_is_predicted_and_the_verdict_names_it(experiment: Experiment) -> None:
    run = denoisplit.load(experiment.run)
    movie = noise(3, 24, 20)
    movie[1] = 0
    found = run.predict(movie, axes="tyx", samples=2)
    assert np.isfinite(found.mean).all()
    assert "no structure: all pixels are equal (got 0.0) (t=1)" in str(found.verdict)
    np.testing.assert_array_equal(found.mean[2], run.predict(movie[2], samples=2).mean)
    movie[1] = 65535
    movie[1, 0] = noise(20)
    assert "no structure: the image is saturated" in str(run.predict(movie, axes="tyx", samples=2).verdict)
    with pytest.raises(ImageError, match="all pixels are equal"):
        run.predict(np.zeros((2, 24, 20)), axes="tyx", samples=2)
    movie[1, 3, 4] = np.nan
    with pytest.raises(ImageError, match="t=1: 1 of 480 pixels are NaN"):
        run.predict(movie, axes="tyx", samples=2)


def test_images_in_a_file_are_read_when_they_are_asked_for(experiment: Experiment, tmp_path: Path) -> None:
    run, movie = denoisplit.load(experiment.run), noise(2, 24, 20)
    kept = run.predict(movie, axes="tyx", samples=3, output="std,mean,chi_square")
    for name, dtype in (("a.ome.zarr", "float32"), ("a.ome.tif", "uint16")):
        found = run.predict_file(
            movie, tmp_path / name, axes="tyx", dtype=dtype, samples=3, output="std,mean,chi_square"
        )
        assert list(found.images) == list(kept.images)
        for image in kept.images:
            near = 0.5001 if dtype == "uint16" else 2e-2
            np.testing.assert_allclose(found.images[image], kept.images[image], rtol=1e-3, atol=near)
            assert found.images[image].dtype == np.float32
        np.testing.assert_array_equal(found.mean, found.images["mean"])
        assert found.calibrated_std is None


def test_the_commands_say_how_counts_are_stored_in_16_bits(experiment: Experiment, tmp_path: Path) -> None:
    for number, factor in enumerate((1, 1e5)):
        counts = np.random.default_rng(0).normal(200, 50, (24, 20)).astype(np.float32) * factor
        save_image(tmp_path / f"{number}.h5", Image(data=counts, axes="yx"))
    images = [str(tmp_path / f"{number}.h5") for number in range(2)]
    how = ["--dtype", "uint16", "--output", "mean"]
    run = str(experiment.run)
    one = CliRunner().invoke(main, ["predict", run, images[0], "--out", str(tmp_path / "a.tif"), *how])
    assert "\nuint16: counts are the stored numbers, rounded to whole counts\n" in one.stdout
    assert "uint16: fewer than 16 steps for filaments mean, mitochondria mean. Write float32" in one.stderr
    many = CliRunner().invoke(main, ["predict", run, *images, "--out", str(tmp_path / "many"), *how])
    lines = [line for line in many.stdout.splitlines() if "uint16" in line]
    (line,) = lines  # the other file has the counts themselves
    scale = opened(tmp_path / "many" / "1.ome.tif").intensity_scale
    assert scale is not None
    assert line.startswith(f"{tmp_path / 'many' / '1.ome.tif'}: uint16: counts are ")
    assert len(set(scale.factor)) == len(set(scale.offset)) == 1
    assert f"{scale.factor[0]:g} x" in line or f"- {-scale.offset[0]:g}," in line
    assert many.stderr.count("fewer than 16 steps") == 1
