"""Evaluation of a trained run: what it is made of, and what it warns of."""

import json
import re
import shutil
from pathlib import Path
from typing import NoReturn

import attrs
import numpy as np
import pytest
import tifffile
import yaml
from click.testing import CliRunner, Result
from matplotlib.figure import Figure
from matplotlib.text import Text

import denoisplit
from denoisplit.api import Run, draw
from denoisplit.cli import main
from denoisplit.core.errors import ImageError
from denoisplit.core.images.bases import Field
from denoisplit.core.images.data_fingerprint import assert_disjoint
from denoisplit.core.images.mixing import mixed_image
from denoisplit.core.prediction.outputs.posterior import draw_samples
from denoisplit.core.spec.records import PredictionSpec
from denoisplit.core.storage.json_records import write_mapping
from denoisplit.core.training.data.prepare import evaluation_fields, prepare
from tests.e2e.experiment import CHANNELS, Experiment


@pytest.fixture(scope="module")
def field(run: Run) -> Field:
    return evaluation_fields(run.spec, ceiling=run.bundle.ceiling)[1][0]


@pytest.fixture(scope="module")
def stack(field: Field) -> Field:
    """Planes that differ."""
    planes = [np.roll(field.observed, shift, axis=-1) for shift in range(3)]
    clean = [np.roll(np.asarray(field.clean), shift, axis=-1) for shift in range(3)]
    return attrs.evolve(field, observed=np.stack(planes, axis=1), clean=np.stack(clean, axis=1))


def evaluate(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["evaluate", *(str(argument) for argument in arguments)])


@pytest.mark.parametrize("which", ["field", "stack"])
def test_what_is_scored_is_the_prediction(run: Run, which: str, request: pytest.FixtureRequest) -> None:
    given = request.getfixturevalue(which)
    _, (scored,) = run.evaluate([given], samples=3)
    mixed = mixed_image(given, run.spec.data.mixing)[0]
    predicted = run.predict(mixed, samples=3, axes="zyx"[-mixed.ndim :])
    np.testing.assert_array_equal(scored.mean, predicted.mean)
    np.testing.assert_array_equal(scored.std, predicted.std)
    np.testing.assert_array_equal(scored.calibrated_std, predicted.calibrated_std)
    assert scored.covered is not None
    assert scored.std is not None
    assert run.bundle.calibration is not None
    factor = np.reshape(run.bundle.calibration.parameters["factor"], (-1, *[1] * (scored.mean.ndim - 1)))
    half = 1.6448536269514722 * factor * scored.std.astype(np.float64)
    inside = np.abs(scored.truth.astype(np.float64) - scored.mean) <= half
    assert (inside == scored.covered[0.9]).mean() > 0.999  # but for rounding at the very end


def test_sums_are_those_of_the_samples_plane_by_plane(run: Run, stack: Field) -> None:
    labels = np.zeros(stack.observed.shape[1:], dtype=np.uint8)
    labels[0, 2:9, 3:5], labels[2, 1, 1], labels[2, 5:7] = 1, 1, 2
    scores, (scored,) = run.evaluate([stack], samples=3, labels=[labels])
    assert [row.regions for row in scores.regions[:3]] == ["4 x 4 px", "16 x 16 px", "labels"]
    assert [row.count for row in scores.regions[:3]] == [3 * 5 * 5, 3, 3]
    marked = [errors for errors in scored.regions if errors.name == "labels"]
    assert [errors.pixels.tolist() for errors in marked] == [[14], [1, 2 * 21]]
    mixed = mixed_image(stack, run.spec.data.mixing)[0, 2].astype(np.float32)
    samples = draw_samples(run.vse, mixed, PredictionSpec(samples=3, seed=run.spec.prediction.seed))
    sums = samples[:, :, 5:7].astype(np.float64).sum(axis=(-2, -1))
    np.testing.assert_allclose(marked[1].predictions["joint"].variance[:, 1], sums.var(axis=0, ddof=1))
    true = np.asarray(stack.clean)[:, 2, 5:7].astype(np.float64).sum(axis=(-2, -1))
    np.testing.assert_allclose(marked[1].error[:, 1], sums.mean(axis=0) - true, rtol=1e-5)


def test_labels_that_do_not_fit_are_refused(run: Run, field: Field) -> None:
    labels = np.ones(field.observed.shape[1:], dtype=np.uint8)
    with pytest.raises(ImageError, match="every field needs one label image"):
        run.evaluate([field], labels=[labels, labels])
    with pytest.raises(ImageError, match="labels must have the shape of the image"):
        run.evaluate([field], labels=[labels[1:]])
    with pytest.raises(ImageError, match="there is no region"):
        run.evaluate([field], labels=[0 * labels])


def test_one_sample_has_no_uncertainty_and_says_so(experiment: Experiment, tmp_path: Path) -> None:
    result = evaluate(experiment.run, "--samples", 1, "--figures", tmp_path / "figures")
    assert result.exit_code == 0, result.output
    assert "No std, so nothing can be said about the uncertainty." in result.stdout
    assert "ENCE" not in result.stdout
    assert [path.name for path in (tmp_path / "figures").iterdir()] == ["samples.png"]


def test_numbers_tables_and_figures(experiment: Experiment, tmp_path: Path) -> None:
    def refuse(constant: str) -> NoReturn:
        raise AssertionError(constant)

    labels, numbers, figures = tmp_path / "cells.tif", tmp_path / "scores.json", tmp_path / "figures"
    cells = np.zeros((21, 21), dtype=np.uint16)
    cells[3:9, 2:7], cells[12:15, 4:20] = 5, 2
    tifffile.imwrite(labels, cells)
    result = evaluate(
        experiment.run, "--samples", 4, "--labels", labels, "--json", numbers, "--figures", figures
    )
    assert result.exit_code == 0, result.output
    for said in ("CRPS", "Sums over regions", "1 field: no bootstrap intervals", "Too few samples for the"):
        assert said in result.stdout
    assert "served" not in result.stdout
    plain = json.loads(numbers.read_text(), parse_constant=refuse)
    assert list(plain["seen_by_the_model"].values()) == [""]
    rows = [row for row in plain["regions"] if row["channel"] == CHANNELS[1]]
    assert [(row["regions"], row["count"], row["pixels"]) for row in rows][-1] == ("labels", 2, 39)
    for when in ("before", "after"):
        found = plain["uncertainty"][0][when]
        assert [covered["level"] for covered in found["coverage"]] == [0.5, 0.68, 0.9, 0.95]
        assert {"ence", "nll", "crps", "sharpness", "rmse", "rmv", "curve"} <= found.keys()
    written = {path.name for path in figures.iterdir()}
    named = ("samples", "maps", "errors", "calibration", "coverage", "regions")
    assert written == {f"{name}.png" for name in named}
    assert all((figures / name).read_bytes().startswith(b"\x89PNG") for name in written)

    cells[0, 0] = 1
    tifffile.imwrite(labels, cells[1:])
    refused = evaluate(experiment.run, "--labels", labels)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "of one plane of it (got (20, 21), not (21, 21))" in refused.stderr
    taken = evaluate(experiment.run, "--figures", labels)
    assert (taken.exit_code, taken.stderr) == (
        2,
        f"{labels}: is a file. Choose a folder for the figures.\n",
    )


def test_other_settings_count(experiment: Experiment, tmp_path: Path) -> None:
    """Samples and mixing are those that were asked for, not those of the training."""
    found = {}
    asked = {
        "few": ("--samples", 2),
        "set": ("--set", "prediction.samples=2"),
        "sum": ("--samples", 2, "--set", "data.mixing={mode: sum}"),
    }
    for name, words in asked.items():
        numbers = tmp_path / f"{name}.json"
        result = evaluate(experiment.run, "--metrics", "psnr", "--json", numbers, *words)
        assert result.exit_code == 0, result.output
        found[name] = json.loads(numbers.read_text())
    assert found["set"] == found["few"]
    assert found["sum"] != found["few"]


def test_where_its_images_are_gone_it_says_how_to_give_others(experiment: Experiment, tmp_path: Path) -> None:
    moved = tmp_path / "run"
    shutil.copytree(experiment.run, moved)
    plain = json.loads((moved / "model.json").read_text())
    plain["spec"]["data"]["test"] = None
    plain["spec"]["data"]["train"]["path"] = str(tmp_path / "gone")
    write_mapping(moved / "model.json", plain)
    others = "'denoisplit evaluate' and 'report' take others: --set 'data.test={"
    assert f"{tmp_path / 'gone'}: there is no such folder" in (said := evaluate(moved).stderr)
    assert others in said
    given = "data.test={use: folder, path: nowhere, observed: '*.tif'}"
    assert others not in evaluate(experiment.run, "--set", given).stderr


def test_fields_that_the_model_has_seen_are_named(experiment: Experiment, tmp_path: Path) -> None:
    numbers = tmp_path / "scores.json"
    same = "{use: folder, path: %s, observed: '*_noisy.ome.tif', clean: '*_clean.ome.tif'}"
    result = evaluate(
        experiment.run,
        "--samples",
        2,
        "--set",
        f"data.test={same % experiment.images}",
        "--json",
        numbers,
    )
    assert result.exit_code == 0, result.output
    text = " ".join(result.stdout.split())
    seen = json.loads(numbers.read_text())["seen_by_the_model"]
    assert sorted(seen.values()) == ["held out", "training", "training"]
    (held_out,) = [name for name, use in seen.items() if use == "held out"]
    assert "WARNING: 2 of these 3 fields (" in text
    assert f"1 of these 3 fields ({held_out}) also served for early stopping and calibration." in text


def test_another_exposure_of_a_field_is_no_new_field(run: Run, experiment: Experiment) -> None:
    data = prepare(run.spec)
    assert run.bundle.served == data.served
    assert run.bundle.served is not None
    seen, held_out = data.train[0], data.validation[0]
    assert run.bundle.served.use_of(seen) == "training"
    assert run.bundle.served.use_of(attrs.evolve(held_out, observed=held_out.observed[...] + 1)) == "held out"
    assert run.bundle.served.use_of(attrs.evolve(seen, name="other", clean=None)) == "training"
    new = attrs.evolve(seen, observed=seen.observed[...] + 1, clean=None)
    assert run.bundle.served.use_of(new) == ""
    assert assert_disjoint([new]).served.use_of(new) == "training"


def test_noise_of_an_early_run_stays_as_it_was_whatever_else_is_set(
    experiment: Experiment, tmp_path: Path
) -> None:
    """Neither its record nor its spec says how noise is drawn."""
    folder = tmp_path / "early"
    folder.mkdir()
    for file in experiment.run.iterdir():
        if file.is_file():
            (folder / file.name).write_bytes(file.read_bytes())
    plain = json.loads((folder / "model.json").read_text())
    spec = yaml.safe_load((folder / "spec.yaml").read_text())
    for data in (plain["spec"]["data"], spec["data"]):
        data["degradation"] = {"gaussian": 60.0}
    write_mapping(folder / "model.json", plain)
    (folder / "spec.yaml").write_text(yaml.safe_dump(spec))
    found = {}
    for other in ("prediction.seed=0", "data.degradation.noise=in_order", "data.degradation.noise=by_place"):
        numbers = tmp_path / f"{other}.json"
        words = ("--samples", 2, "--metrics", "psnr", "--json", numbers)
        assert evaluate(folder, *words, "--set", other).exit_code == 0
        found[other.partition("=")[2]] = json.loads(numbers.read_text())
    assert found["0"] == found["in_order"]
    assert found["0"] != found["by_place"]


def test_a_run_without_a_record_says_so(experiment: Experiment, tmp_path: Path) -> None:
    folder = tmp_path / "old"
    folder.mkdir()
    for file in experiment.run.iterdir():
        if file.is_file():
            (folder / file.name).write_bytes(file.read_bytes())
    plain = json.loads((folder / "model.json").read_text())
    del plain["served"]
    write_mapping(folder / "model.json", plain)
    result = evaluate(folder, "--samples", 2)
    assert result.exit_code == 0, result.output
    assert "no record of what it was trained on" in " ".join(result.stdout.split())


def test_a_picture_has_a_scale_bar_and_says_which_std_it_shows(
    run: Run, field: Field, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores, (scored,) = run.evaluate([field], samples=2)
    pictures: list[str] = []

    def read(figure: Figure, path: Path, **_: object) -> None:
        path.touch()
        pictures.append("\n".join(text.get_text() for text in figure.findobj(Text)))

    monkeypatch.setattr(Figure, "savefig", read)
    assert scored.calibrated_std is not None
    for one in (scored, attrs.evolve(scored, calibrated_std=None)):
        draw(tmp_path / "picture.png", run, one, scores)
    calibrated, plain = pictures
    assert all(re.search(r"^[0-9.]+ µm$", picture, flags=re.MULTILINE) for picture in pictures)
    assert "calibrated std (counts)" in calibrated
    assert "calibrated std: how large the real error is expected to be" in calibrated
    assert "calibrated std" not in plain
    assert "std: how far the samples of the model spread" in plain


def test_the_last_line_says_whether_to_use_the_network(experiment: Experiment) -> None:
    """A network of four steps is worse than a blur; the run knows it, and its verdicts do."""
    told = evaluate(experiment.run, "--samples", 2)
    assert told.exit_code == 0, told.output
    last = told.stdout.splitlines()[-1]
    assert last.startswith("Do not use this network for ")
    run = denoisplit.load(experiment.run)
    assert run.bundle.reference is not None
    assert set(run.bundle.reference.gains) == set(CHANNELS)
    assert min(run.bundle.reference.gains.values()) < 0
    images = [mixed_image(field, run.spec.data.mixing)[0] for field in prepare(run.spec).conditioned]
    assert "looks like the training images" not in {str(run.predict(image).verdict) for image in images}


def test_orientations_that_the_calibration_does_not_know_are_told(experiment: Experiment) -> None:
    known = evaluate(experiment.run, "--samples", 8, "--metrics", "psnr")
    other = evaluate(
        experiment.run, "--samples", 8, "--metrics", "psnr", "--set", "prediction.orientations=8"
    )
    note = "The calibration of the run is for samples with prediction.orientations: 1."
    assert note not in known.stdout
    assert note in other.stdout
