"""Background and ceiling belong to the run: whether the training images still exist changes nothing."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import denoisplit
from denoisplit.cli import main
from denoisplit.core.images.mixing import mixed_image
from denoisplit.core.prediction.outputs.posterior import predict
from denoisplit.core.spec.records import PredictionSpec
from denoisplit.core.training.data.prepare import evaluation_fields, prepare
from denoisplit.plugins.datasets.simulated import Simulated
from tests.e2e.experiment import CHANNELS, Experiment

RANGE = ("data.background={quantile: 0.2, floor: true}", "data.clip={quantile: 0.9, per_channel: true}")


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    made = Experiment(tmp_path_factory.mktemp("cut"))
    made.write()
    denoisplit.train(made.spec, made.run, overrides=[*RANGE, "training.steps=1"])
    return made


def test_prediction_and_evaluation_need_no_training_images(cut: Experiment, tmp_path: Path) -> None:
    mixed = np.random.default_rng(0).normal(200, 50, (2, 19, 23)).astype(np.float32)
    evaluate = ["evaluate", str(cut.run), "--json"]

    def answers(name: str) -> tuple[list[denoisplit.Prediction], str]:
        run, numbers = denoisplit.load(cut.run), tmp_path / name
        result = CliRunner().invoke(main, [*evaluate, str(numbers)])
        assert result.exit_code == 0, result.output
        return [run.predict(mixed, axes="tyx")], numbers.read_text()

    (here,), scores = answers("here.json")
    shutil.move(cut.images, tmp_path / "images")
    try:
        (there,), again = answers("there.json")
    finally:
        shutil.move(tmp_path / "images", cut.images)
    np.testing.assert_array_equal(there.mean, here.mean)
    np.testing.assert_array_equal(np.asarray(there.std), np.asarray(here.std))
    assert again == scores


def test_a_mixed_image_goes_through_the_range_of_the_run(cut: Experiment) -> None:
    run, data = denoisplit.load(cut.run), prepare(denoisplit.load(cut.run).spec)
    assert run.bundle.fitted_range == data.fitted
    assert np.isfinite(data.fitted.ceiling).all()
    (raw,) = Simulated(Simulated.Options(fields=1, size=40, seed=9), channels=CHANNELS).fields()
    mixed = mixed_image(raw, run.spec.data.mixing)[0]
    level = int(np.quantile(mixed, 0.2)) + data.fitted.background_shift
    seen = np.clip(mixed - np.float32(level), 0, np.float32(np.mean(data.fitted.ceiling)))
    assert (seen.min(), seen.max()) == (0, np.float32(np.mean(data.fitted.ceiling)))
    expected = predict(run.vse, seen, PredictionSpec(samples=2, seed=0))
    found = run.predict(mixed)
    np.testing.assert_array_equal(found.mean, expected.mean)
    np.testing.assert_allclose(found.mean, run.predict(mixed + 1000).mean, rtol=1e-5)


def test_evaluation_does_not_condition_a_second_time(cut: Experiment) -> None:
    run = denoisplit.load(cut.run)
    _, fields = evaluation_fields(run.spec, ceiling=run.bundle.ceiling)
    _, (evaluated,) = run.evaluate(fields, samples=2)
    mixed = mixed_image(fields[0], run.spec.data.mixing)
    np.testing.assert_array_equal(evaluated.mixed, mixed)
    np.testing.assert_array_equal(
        evaluated.mean, predict(run.vse, mixed[0], PredictionSpec(samples=2, seed=0)).mean
    )


@pytest.mark.parametrize("override", ["data.clip.quantile=0.5", "data.background.floor=false"])
def test_another_range_is_refused(cut: Experiment, override: str) -> None:
    result = CliRunner().invoke(main, ["evaluate", str(cut.run), "--set", override])
    assert result.exit_code == 2
    assert "background and clip belong to the run" in result.output
