"""What a run is calibrated against, and what the log says where it cannot be."""

import logging
from typing import Any

import attrs
import numpy as np
import pytest
import torch

from denoisplit.core.errors import CalibrationError
from denoisplit.core.images.bases import Field, MixedSource
from denoisplit.core.network.composer import compose
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.outputs.posterior import Posterior
from denoisplit.core.registry import installed_registry
from denoisplit.core.spec import ResolvedSpec, parse_spec, resolve
from denoisplit.core.training.calibration import fit_calibrators as module
from denoisplit.core.training.calibration.calibration_fields import with_seen
from denoisplit.core.training.calibration.fit_calibrators import calibrate_run, noisy_errors, predicted
from denoisplit.core.training.data.prepare import prepare
from tests.calibrating import calibrate

SPEC = """
preset: denoisplit
channels: [filaments, puncta]
data:
  train: {use: simulated, fields: 2, size: 24, seed: 1, structures: [filaments, puncta]}
  validation: {use: simulated, fields: 2, size: 64, seed: 2, repeats: 2, structures: [filaments, puncta]}
model: {encoder: {levels: 2, width: 4}, decoder: {latent_channels: 2}, noise_model: {use: gaussian}}
training: {patch: 16, precision: float32}
prediction: {samples: 8}
"""


def spec(*overrides: str) -> ResolvedSpec:
    return resolve(parse_spec(SPEC, overrides), installed_registry())


@pytest.fixture(scope="module")
def vse() -> VSE:
    torch.manual_seed(1)
    chosen = spec()
    return compose(
        chosen.model, prepare(chosen).statistics, channels=chosen.channels, patch=chosen.training.patch
    )


@pytest.fixture(scope="module")
def fields() -> tuple[Field, ...]:
    return prepare(spec()).validation


def noisy(fields: tuple[Field, ...], **change: Any) -> list[Field]:
    """Fields without clean references, and with repeats only if they are named."""
    changes: dict[str, Any] = {"clean": None, "repeats": None, **change}
    return [attrs.evolve(field, **changes) for field in fields]


def test_clean_references_come_first_and_repeats_second(vse: VSE, fields: tuple[Field, ...]) -> None:
    known = calibrate(vse, spec(), fields)
    some = calibrate(vse, spec(), [fields[0], *noisy(fields[1:])])
    repeated = calibrate(vse, spec(), [attrs.evolve(field, clean=None) for field in fields])
    single = calibrate(vse, spec(), noisy(fields))
    found = [calibration.origin for calibration in (known, some, repeated, single) if calibration is not None]
    assert found == ["clean references", "clean references", "repeats", "noisy targets"]
    assert some == calibrate(vse, spec(), fields[:1])
    assert known is not None
    for calibration in (repeated, single):
        assert calibration is not None
        np.testing.assert_allclose(calibration.parameters["factor"], known.parameters["factor"], rtol=0.1)


def test_a_recorded_mixed_image_is_not_probed(vse: VSE, fields: tuple[Field, ...]) -> None:
    """It is another exposure: its noise has nothing to do with that of the targets."""
    (field, other), rng = noisy(fields), np.random.default_rng(0)
    recorded = attrs.evolve(field, mixed=other.observed[...].mean(0, keepdims=True))
    mean = predicted(vse, spec(), recorded).mean
    found = noisy_errors(vse, spec("prediction.samples=1"), recorded, mean, rng).squares()
    assert rng.bit_generator.state == np.random.default_rng(0).bit_generator.state
    mixed = noisy_errors(vse, spec(), field, mean, rng).squares()
    assert found.shape == mixed.shape == field.observed.shape
    assert not np.allclose(found, mixed)


def test_calibrating_twice_gives_the_same_numbers(vse: VSE, fields: tuple[Field, ...]) -> None:
    held = noisy(fields)
    assert calibrate(vse, spec(), held) == calibrate(vse, spec(), held)


@pytest.mark.parametrize("name", ["affine", "isotonic"])
def test_every_calibrator_of_squares_takes_noisy_targets(
    vse: VSE, fields: tuple[Field, ...], name: str
) -> None:
    found = calibrate(vse, spec(f"calibrator.use={name}"), noisy(fields))
    assert found is not None
    assert all(np.isfinite(numbers).all() for numbers in found.parameters.values())


@pytest.mark.parametrize(
    ("override", "change", "reason"),
    [
        ("prediction.samples=1", {}, "a single sample has no spread"),
        ("calibrator.use=conformal", {}, "Conformal needs clean references"),
        ("prediction.samples=2", {"mixed_source": MixedSource}, "is only in part that of its channels"),
    ],
    ids=["single sample", "conformal", "mixed source"],
)
def test_no_calibration_without_spread_or_errors(
    vse: VSE,
    fields: tuple[Field, ...],
    caplog: pytest.LogCaptureFixture,
    override: str,
    change: dict[str, object],
    reason: str,
) -> None:
    if change:
        pixels = fields[0].observed
        change = {"mixed_source": MixedSource(noiseless=pixels, noise=0 * pixels[:1])}
    with caplog.at_level(logging.WARNING, logger="denoisplit"):
        assert calibrate(vse, spec(override), noisy(fields, **change)) is None
    (line,) = caplog.messages
    assert line.startswith("no calibration: ")
    assert reason in line
    assert "no calibrated std" in line


def test_training_fields_count_for_calibrators_that_take_them(
    vse: VSE, fields: tuple[Field, ...], caplog: pytest.LogCaptureFixture
) -> None:
    """With clean references only: the network knows the noise of its training."""
    seen = prepare(spec()).conditioned
    for options, held, trained in (
        (("use=by_field", "seen=1"), fields, 1),
        (("use=by_field",), fields, 2),
        (("use=by_field",), noisy(fields), 0),
        (("use=scale",), fields, 0),
    ):
        caplog.clear()
        chosen = attrs.evolve(spec(*(f"calibrator.{one}" for one in options)), region_calibrator=None)
        with caplog.at_level(logging.INFO, logger="denoisplit"):
            both, alone = (calibrate_run(vse, chosen, held, seen=given).pixels for given in (seen, ()))
        said = f"2 held-out fields, and of training fields, which tell how fields differ: {trained}"
        assert (said in caplog.text) == bool(trained), options
        assert (both != alone) == bool(trained), options
        assert both is not None
        assert "calibrated on 2 held-out fields" in caplog.text


def test_the_training_fields_of_a_calibration_are_spread_evenly(fields: tuple[Field, ...]) -> None:
    seen = [attrs.evolve(fields[0], name=f"{number}") for number in range(7)]
    seen[2] = attrs.evolve(seen[2], clean=None)
    found = with_seen(fields, seen, 3)
    assert [(field.name, trained) for field, trained in found] == [
        *((field.name, False) for field in fields), ("0", True), ("3", True), ("5", True),
    ]  # fmt: skip
    assert len(with_seen(fields, seen, 32)) == 8


def test_no_field_at_all_is_said(vse: VSE, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="denoisplit"):
        assert calibrate(vse, spec(), []) is None
    assert "no calibration: no field was held out" in caplog.text


def test_a_single_field_is_said_to_be_one(
    vse: VSE, fields: tuple[Field, ...], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="denoisplit"):
        assert calibrate(vse, spec(), fields) is not None
        assert "a single field" not in caplog.text
        assert calibrate(vse, spec(), fields[:1]) is not None
    assert "calibrated on 1 held-out fields (clean references): factor [" in caplog.text
    assert "calibrated on a single field: nothing tells how much the errors differ" in caplog.text


def test_a_constant_std_is_said_to_be_one(
    vse: VSE,
    fields: tuple[Field, ...],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    constant = np.full_like(fields[0].observed, 2.5)
    found = Posterior(mean=0 * constant, std=constant, samples=2)
    monkeypatch.setattr(module, "predicted", lambda *_: found)
    with caplog.at_level(logging.WARNING, logger="denoisplit"):
        assert calibrate(vse, spec(), fields) is not None
    assert "the std of filaments is 2.5 everywhere" in caplog.text


@pytest.mark.parametrize(("smear", "refused"), [(0.0, None), (0.3, False), (1.0, True)])
def test_noise_that_goes_together_in_neighbours_is_flagged_or_refused(
    smear: float, refused: bool | None, caplog: pytest.LogCaptureFixture
) -> None:
    noise = np.random.default_rng(0).normal(0, 5, (2, 96, 96))
    observed = (100 + noise + smear * np.roll(noise, 1, axis=2)).astype(np.float32)
    field = Field(name="f", observed=observed)
    mean = np.full_like(observed, 100)
    if refused:
        with pytest.raises(CalibrationError, match=r"pixels of field f is correlated \(got 0\.[45]"):
            module.require_independent(field, mean)
        return
    module.require_independent(field, mean)
    assert ("is correlated" in caplog.text) == (refused is False)


def test_a_pattern_of_the_network_is_no_correlation_of_the_noise(caplog: pytest.LogCaptureFixture) -> None:
    """Predictions after a few steps may repeat every few pixels; their differences then go together."""
    noise = np.random.default_rng(0).normal(0, 5, (2, 96, 96))
    pattern = 20 * (np.indices((96, 96)).sum(0) % 2)
    field = Field(name="f", observed=(100 + noise).astype(np.float32))
    module.require_independent(field, (100 + np.stack([pattern, pattern])).astype(np.float32))
    assert "is correlated" not in caplog.text
