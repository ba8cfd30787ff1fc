"""The example on real images: it reads what it says it reads, and learns from it."""

from pathlib import Path

import pytest

import denoisplit
from denoisplit.core.spec import load_spec
from denoisplit.core.training.data.prepare import evaluation_fields, prepare

SPEC = Path(__file__).parents[2] / "examples" / "w2s" / "split.yaml"
FEW = (
    "data.train.limit=2",
    "data.test.limit=1",
    "data.validation_fraction=0.5",
    "model.encoder.width=4",
    "model.decoder.latent_channels=2",
    "model.noise_model.fit_steps=5",
    "training.steps=2",
    "training.batch=1",
    "prediction.samples=4",
)


@pytest.fixture
def _environment(data_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DENOISPLIT_DATA", str(data_root))


@pytest.mark.usefixtures("_environment")
def test_the_fields_are_mitochondria_and_actin_with_references() -> None:
    """Channel 0 and 2 of three; noisy targets average to the clean reference within a count."""
    data = prepare(load_spec(SPEC, FEW))
    for field in (*data.train, *data.validation):
        assert field.observed.shape == (2, 512, 512)
        assert field.clean is not None
        assert abs(float((field.observed[...] - field.clean[...]).mean())) < 1.0


@pytest.mark.usefixtures("_environment")
def test_the_example_trains_and_predicts(tmp_path: Path) -> None:
    run = denoisplit.train(SPEC, tmp_path / "run", overrides=FEW)
    split, (field,) = evaluation_fields(run.spec)
    assert split == "test"
    prediction = run.predict(field.observed[...].mean(axis=0))
    assert prediction.mean.shape == (2, 512, 512)
    assert prediction.calibrated_std is not None
    assert prediction.channel_names == ("mitochondria", "actin")
