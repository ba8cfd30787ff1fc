"""Arguments of a wrong type or out of range: one line of ours, before anything is read or written."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import denoisplit
from denoisplit import api
from denoisplit.core.errors import ArgumentError, ImageError, SpecError
from denoisplit.core.images.bases import Field
from denoisplit.core.prediction.outputs.result import Prediction
from tests.e2e.experiment import Experiment

NOTHING = "nowhere.tif"
"""An image that is not there: what is wrong with the other arguments is told first."""

OPTIONS: list[tuple[str, Any, str]] = [
    ("samples", 2.5, r"prediction\.samples: must be a number, auto, or .* \(got 2\.5\)"),
    ("samples", True, r"prediction\.samples: must be a number, auto, or .* \(got True\)"),
    ("samples", np.float32(3), r"prediction\.samples: must be a number, auto, or"),
    ("samples", 0, r"prediction\.samples: must be a whole number >= 1 and <= 100000 \(got 0\)"),
    ("samples", 10**9, r"prediction\.samples: must be a whole number >= 1 and <= 100000 \(got 1000000000\)"),
    ("samples", "100001", r"prediction\.samples: must be .* <= 100000 \(got 100001\)"),
    ("samples", [4], r"prediction\.samples: .* \(got list\)"),
    ("seed", "a", r"prediction\.seed: must be a whole number >= 0 and < 9223372036854775808 \(got 'a'\)"),
    ("seed", -1, r"prediction\.seed: must be a whole number .* \(got -1\)"),
    ("seed", False, r"prediction\.seed: must be a whole number .* \(got False\)"),
    ("tile", 2.5, r"prediction\.tile: must be a whole number >= 0 \(got 2\.5\)"),
    ("tile", "a", r"prediction\.tile: must be a whole number >= 0 \(got 'a'\)"),
    ("workers", "a", r"prediction\.workers: must be a whole number >= 1 \(got 'a'\)"),
    ("workers", 1.0, r"prediction\.workers: must be a whole number >= 1 \(got 1\.0\)"),
    ("workers", 0, r"prediction\.workers: must be a whole number >= 1 \(got 0\)"),
    ("output", 5, r"output: must be a list of texts \(got 5\)"),
    ("output", ["mean", None], r"output: must be a list of texts \(got list\)"),
    ("output", "meen", r"prediction\.output: no such image \(got 'meen'\)"),
    ("axes", 5, r"axes: must be text, letters of stczyx \(got 5\)"),
    ("labels", [[1]], r"labels: must be a NumPy array or the path of a file \(got list\)"),
    ("progress", "yes", r"progress: must be a function \(got 'yes'\)"),
]
OF_FILES: list[tuple[str, Any, str]] = [
    ("executor", 5, r"executor: must be a name or a mapping \(got 5\)"),
    ("resume", "no", r"resume: must be True or False \(got 'no'\)"),
]


@pytest.mark.parametrize(("name", "value", "message"), OPTIONS, ids=str)
def test_an_option_of_a_prediction(run: denoisplit.Run, name: str, value: Any, message: str) -> None:
    with pytest.raises((ArgumentError, SpecError), match=message) as caught:
        run.predict(NOTHING, **{name: value})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "value", "message"), [*OPTIONS, *OF_FILES], ids=str)
def test_an_option_of_many_predictions_is_told_once(
    run: denoisplit.Run, tmp_path: Path, name: str, value: Any, message: str
) -> None:
    """And not in one row per image of a table."""
    with pytest.raises((ArgumentError, SpecError), match=message):
        run.predict_files([NOTHING, "other.tif"], tmp_path, **{name: value})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("call", "method"),
    [
        (lambda run, **how: run.predict_file(NOTHING, "out.tif", **how), "predict_file"),
        (lambda run, **how: run.predict_files([NOTHING], "out", **how), "predict_files"),
        (lambda run, **how: run.predict_shard(NOTHING, "out.tif", "1/2", **how), "predict_shard"),
        (lambda run, **how: run.estimate(NOTHING, **how), "estimate"),
    ],
)
def test_an_argument_that_no_prediction_has(
    run: denoisplit.Run, call: Callable[..., object], method: str
) -> None:
    said = rf"^{method}\(\) got an unexpected keyword argument 'sampels'\. Did you mean samples\?$"
    with pytest.raises(TypeError, match=said):
        call(run, sampels=3)


def test_numbers_of_numpy_are_numbers(run: denoisplit.Run) -> None:
    image = np.random.default_rng(0).normal(200, 50, (9, 8)).astype(np.float32)
    numbers: Any = {"samples": np.int64(3), "seed": np.uint8(5), "tile": np.int32(0), "workers": np.int16(1)}
    given = run.predict(image, **numbers)
    np.testing.assert_array_equal(given.mean, run.predict(image, samples=3, seed=5).mean)
    assert isinstance(given.samples, int)


PATHS: dict[str, Callable[[denoisplit.Run, Prediction, Any], object]] = {
    "load": lambda _, __, path: denoisplit.load(path),
    "load_sequence": lambda _, __, path: denoisplit.load_sequence(path),
    "load_spec": lambda _, __, path: denoisplit.load_spec(path),
    "read_spec": lambda _, __, path: denoisplit.read_spec(path),
    "train, spec": lambda _, __, path: denoisplit.train(path, "out"),
    "train, out": lambda _, __, path: denoisplit.train("spec.yaml", path),
    "train_sequence, denoise": lambda _, __, path: denoisplit.train_sequence(path, "split.yaml", "out"),
    "train_sequence, out": lambda _, __, path: denoisplit.train_sequence("a.yaml", "b.yaml", path),
    "build": lambda run, __, path: denoisplit.build(path, stats=run.bundle.statistics),
    "import_checkpoint": lambda _, __, path: denoisplit.import_checkpoint(path, "config.json", "out"),
    "import_checkpoint, config": lambda _, __, path: denoisplit.import_checkpoint("a.pt", path, "out"),
    "import_checkpoint, out": lambda _, __, path: denoisplit.import_checkpoint("a.pt", "config.json", path),
    "predict_file, out": lambda run, __, path: run.predict_file(NOTHING, path),
    "predict_shard, out": lambda run, __, path: run.predict_shard(NOTHING, path, "1/2"),
    "predict_files": lambda run, __, path: run.predict_files(path, "out"),
    "predict_files, one of them": lambda run, __, path: run.predict_files([path], "out"),
    "predict_files, out": lambda run, __, path: run.predict_files([NOTHING], path),
    "estimate": lambda run, __, path: run.estimate(path),
    "save": lambda _, prediction, path: prediction.save(path),
    "draw": lambda run, _, path: api.draw(path, run, Any, Any),  # type: ignore[arg-type]  # looked at later
}


@pytest.fixture(scope="module")
def prediction(run: denoisplit.Run) -> Prediction:
    return run.predict(np.random.default_rng(0).normal(200, 50, (9, 8)), samples=1)


@pytest.mark.parametrize("path", [None, 5, ""], ids=str)
@pytest.mark.parametrize("call", PATHS.values(), ids=PATHS)
def test_what_is_no_path(
    run: denoisplit.Run,
    prediction: Prediction,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: Callable[[denoisplit.Run, Prediction, Any], object],
    path: Any,
) -> None:
    monkeypatch.chdir(tmp_path)
    message = rf"^\w+: must be the path of a file or folder \(got {path!r}\)\. Give a str or pathlib\.Path\.$"
    with pytest.raises(ArgumentError, match=message):
        call(run, prediction, path)
    assert list(tmp_path.iterdir()) == []


def test_another_type_of_pixels_is_told_once(run: denoisplit.Run, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"^dtype: expected float32 or uint16 \(got 'int8'\)"):
        run.predict_files([NOTHING, "other.tif"], tmp_path, dtype="int8")
    assert list(tmp_path.iterdir()) == []


CALLS: dict[str, tuple[Callable[[denoisplit.Run, Any], object], str]] = {
    "shard": (lambda run, five: run.predict_shard(NOTHING, "out.tif", five), "no such shard (got 5)"),
    "fields": (lambda run, five: run.evaluate(five), "fields: must be a list of fields"),
    "a field": (lambda run, five: run.evaluate([five]), "fields: must be a list of fields"),
    "metrics": (lambda run, five: run.evaluate([], metrics=five), "metrics: must be a list of texts (got 5)"),
    "evaluated samples": (
        lambda run, five: run.evaluate([_field()], samples=five / 2),
        "prediction.samples: must be a whole number >= 1 and <= 100000 (got 2.5)",
    ),
    "too many evaluated samples": (
        lambda run, five: run.evaluate([_field()], samples=10**five + 1),
        "prediction.samples: must be a whole number >= 1 and <= 100000 (got 100001)",
    ),
    "too many samples of a report": (
        lambda run, five: run.report("nowhere.html", samples=10**five + 1),
        "samples: must be a whole number of at most 100000 (got 100001)",
    ),
    "stages of a training": (
        lambda _, five: denoisplit.train("spec.yaml", "out", stages=five),
        "stages: must be a function (got 5). Leave it out for the default.",
    ),
    "watchers": (
        lambda _, five: denoisplit.train("spec.yaml", "out", watchers=[five]),
        "watchers: must be a list of denoisplit.Watcher (got list)",
    ),
    "resume": (
        lambda _, five: denoisplit.train("spec.yaml", "out", resume=five),
        "resume: must be True or False (got 5)",
    ),
    "stages of a sequence": (
        lambda _, five: denoisplit.train_sequence("a.yaml", "b.yaml", "out", stages=five),
        "stages: must be a function (got 5)",
    ),
    "stages of a calibration": (lambda run, five: run.calibrate(stages=five), "stages: must be a function"),
    "progress of an evaluation": (lambda run, five: run.evaluate([], progress=five), "progress: must be a"),
    "progress of a comparison": (
        lambda run, five: run.check_precision(NOTHING, progress=five),
        "progress: must be a function (got 5)",
    ),
    "tell": (
        lambda run, five: run.predict_files([NOTHING], "out", tell=five),
        "tell: must be a function (got 5)",
    ),
    "overwrite": (
        lambda run, five: run.predict_files([NOTHING], "out", overwrite=five),
        "overwrite: must be True or False (got 5)",
    ),
    "statistics": (
        lambda _, five: denoisplit.build("spec.yaml", stats=five),
        "stats: must be IntensityStats (got 5)",
    ),
}


def _field() -> Field:
    image = np.random.default_rng(0).normal(200, 50, (2, 9, 8)).astype(np.float32)
    return Field(name="a", observed=image, clean=image)


@pytest.mark.parametrize(("call", "message"), CALLS.values(), ids=CALLS)
def test_other_arguments(run: denoisplit.Run, call: Callable[[Any, Any], object], message: str) -> None:
    with pytest.raises(denoisplit.DenoisplitError) as caught:
        call(run, 5)
    assert message in str(caught.value)


def test_one_text_is_no_list_of_texts(run: denoisplit.Run, experiment: Experiment) -> None:
    """Its letters would be meant; of a mapping, the keys."""
    for overrides in ("training.steps=4", 5, [5], {"training.steps=4": 4}):
        with pytest.raises(ArgumentError, match=r"^overrides: must be a list of texts \(got "):
            denoisplit.load_spec(experiment.spec, overrides)  # type: ignore[arg-type]  # what is tested
    with pytest.raises(ArgumentError, match=r"^metrics: must be a list of texts \(got 'psnr'\)"):
        run.evaluate([_field()], metrics="psnr")
