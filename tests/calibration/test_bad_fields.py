"""What a training makes of held-out fields that are hardly enough, for every registered calibrator.

With clean references, with repeats, and with noisy targets alone: a calibration of finite numbers, or none
and one line of the log that says why.
"""

import json
import logging
from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
import pytest

from denoisplit.core.images.bases import Field
from denoisplit.core.network.composer import compose
from denoisplit.core.network.vse import VSE
from denoisplit.core.registry import installed_registry
from denoisplit.core.spec import ResolvedSpec, parse_spec, resolve
from denoisplit.core.training.calibration.fit_calibrators import predicted
from denoisplit.core.training.data.prepare import prepare
from tests.calibrating import calibrate
from tests.registered import calibrators

SPEC = """
preset: denoisplit
channels: [filaments, puncta]
data:
  train: {use: simulated, fields: 2, size: 24, seed: 1, structures: [filaments, puncta]}
  validation: {use: simulated, fields: 2, size: 32, seed: 2, repeats: 2, structures: [filaments, puncta]}
model: {encoder: {levels: 2, width: 4}, decoder: {latent_channels: 2}, noise_model: {use: gaussian}}
training: {patch: 16, precision: float32}
prediction: {samples: 3}
"""
HIDDEN: dict[str, dict[str, Any]] = {
    "clean": {},
    "repeats": {"clean": None},
    "noisy": {"clean": None, "repeats": None},
}
Change = Callable[[Field], Field]


def spec(*overrides: str) -> ResolvedSpec:
    return resolve(parse_spec(SPEC, overrides), installed_registry())


@pytest.fixture(scope="module")
def vse() -> VSE:
    chosen = spec()
    return compose(
        chosen.model, prepare(chosen).statistics, channels=chosen.channels, patch=chosen.training.patch
    )


@pytest.fixture(scope="module")
def fields() -> tuple[Field, ...]:
    return prepare(spec()).validation


def images(field: Field, change: Callable[[Any], Any]) -> Field:
    """The same change to every image of a field."""
    changed: dict[str, Any] = {
        kind: change(np.array(getattr(field, kind))) for kind in ("observed", "clean", "repeats")
    }
    return attrs.evolve(field, **changed)


def cropped(side: int) -> Change:
    return lambda field: images(field, lambda pixels: pixels[..., :side, :side])


def absent(field: Field) -> Field:
    """The last channel holds no structure: its truth is constant, and its images are noise around it."""
    clean, observed, repeats = (np.array(x) for x in (field.clean, field.observed, field.repeats))
    noise = np.random.default_rng(0).normal(100, 5, (3, *clean.shape[1:])).astype(np.float32)
    clean[-1], observed[-1], repeats[:, -1] = 100, noise[0], noise[1:]
    return attrs.evolve(field, clean=clean, observed=observed, repeats=repeats)


def all_noise(field: Field) -> Field:
    clean = np.full_like(field.observed, 100)
    noise = np.random.default_rng(0).normal(100, 12, (3, *clean.shape)).astype(np.float32)
    return attrs.evolve(field, clean=clean, observed=noise[0], repeats=noise[1:])


def with_value(value: float, *kinds: str) -> Change:
    """One pixel of the last channel is no number, in images of these kinds."""

    def spoil(pixels: Any) -> Any:
        pixels[..., -1, 3, 4] = value
        return pixels

    return lambda field: attrs.evolve(field, **{k: spoil(np.array(getattr(field, k))) for k in kinds})


CASES: dict[str, Change] = {
    "cropped to 2 x 2": cropped(2),
    "cropped to 4 x 4": cropped(4),
    "cropped to 5 x 5": cropped(5),
    "an absent channel": absent,
    "all noise": all_noise,
    "NaN": with_value(np.nan, "clean", "repeats"),
    "infinite": with_value(np.inf, "clean"),
}


@pytest.mark.parametrize("name", calibrators())
@pytest.mark.parametrize("known", HIDDEN)
@pytest.mark.parametrize("count", [1, 2], ids=["one field", "two fields"])
def test_finite_numbers_or_one_line(
    vse: VSE,
    fields: tuple[Field, ...],
    caplog: pytest.LogCaptureFixture,
    name: str,
    known: str,
    count: int,
) -> None:
    for case, change in CASES.items():
        caplog.clear()
        held = [attrs.evolve(change(field), **HIDDEN[known]) for field in fields[:count]]
        with caplog.at_level(logging.WARNING, logger="denoisplit"):
            found = calibrate(vse, spec(f"calibrator.use={name}"), held)
        refusals = [line for line in caplog.messages if line.startswith("no calibration: ")]
        if found is None:
            (line,) = refusals
            assert not any(line.startswith("calibrated") for line in caplog.messages), case
            assert line.endswith(". Predictions will have a mean and a std, but no calibrated std"), case
            assert "\n" not in line
        else:
            assert refusals == []
            assert (count == 1) == any("on a single field" in line for line in caplog.messages)
            json.dumps(attrs.asdict(found), allow_nan=False)
        if (case == "NaN" and known != "noisy") or (case == "infinite" and known == "clean"):
            expected = f"is not finite at {count} of"
            assert expected in caplog.text or "needs clean references" in caplog.text
        if known == "noisy" and case == "cropped to 4 x 4":
            assert "cannot be measured in so few pixels" in caplog.text


@pytest.mark.parametrize("name", calibrators())
def test_a_prediction_that_is_the_truth(
    vse: VSE, fields: tuple[Field, ...], caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """An error of exactly zero has no scale."""
    chosen = spec(f"calibrator.use={name}")
    perfect = [attrs.evolve(field, clean=predicted(vse, chosen, field).mean) for field in fields]
    with caplog.at_level(logging.WARNING, logger="denoisplit"):
        assert calibrate(vse, chosen, perfect) is None
    (line,) = caplog.messages
    assert "fits these errors (got " in line
    assert "The truth must differ from the prediction" in line
