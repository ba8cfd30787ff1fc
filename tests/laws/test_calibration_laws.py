"""Laws of calibrators."""

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from denoisplit.core.errors import CalibrationError
from denoisplit.core.network.interfaces import Calibrator
from denoisplit.plugins.calibrators.affine import Affine
from denoisplit.plugins.calibrators.conformal import Conformal
from denoisplit.plugins.calibrators.isotonic import Isotonic
from denoisplit.plugins.calibrators.region import Region
from denoisplit.plugins.calibrators.scale import Scale

Array = npt.NDArray[np.float64]
CALIBRATORS: list[Calibrator] = [
    Scale(Scale.Options()),
    Affine(Affine.Options()),
    Isotonic(Isotonic.Options()),
    Conformal(Conformal.Options()),
    Region(Region.Options()),
]


def _case(
    seed: int, true_factor: float = 1.7, shape: tuple[int, ...] = (3, 2, 24, 24)
) -> tuple[Array, Array, Array]:
    rng = np.random.default_rng(seed)
    mean, std = rng.normal(300, 50, shape), rng.gamma(5, 2, shape)
    return mean, std, mean + true_factor * std * rng.normal(size=shape)


every_calibrator = pytest.mark.parametrize("calibrator", CALIBRATORS, ids=lambda c: type(c).__name__)


@every_calibrator
@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), c=st.floats(1e-3, 1e3))
def test_a_std_in_other_units_changes_nothing(calibrator: Calibrator, seed: int, c: float) -> None:
    mean, std, truth = _case(seed)
    once = calibrator.apply(calibrator.fit(mean, std, truth), std)
    again = calibrator.apply(calibrator.fit(mean, c * std, truth), c * std)
    np.testing.assert_allclose(once, again, rtol=1e-9)


@every_calibrator
@settings(max_examples=20)
@given(seed=st.integers(0, 10**6))
def test_calibrating_twice_changes_nothing(calibrator: Calibrator, seed: int) -> None:
    mean, std, truth = _case(seed)
    once = calibrator.apply(calibrator.fit(mean, std, truth), std)
    twice = calibrator.apply(calibrator.fit(mean, once, truth), once)
    np.testing.assert_allclose(once, twice, rtol=1e-9)


@every_calibrator
@pytest.mark.parametrize("level", [0.5, 0.68, 0.9, 0.95])
def test_intervals_cover_as_often_as_they_say(calibrator: Calibrator, level: float) -> None:
    mean, std, truth = _case(3, true_factor=0.4, shape=(4, 2, 6, 40, 40))
    low, high = calibrator.interval(calibrator.fit(mean, std, truth), mean, std, level)
    covered = ((truth >= low) & (truth <= high)).mean()
    assert abs(covered - level) < 4 * math.sqrt(level * (1 - level) / truth.size)


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), c=st.floats(1e-3, 1e3))
def test_factor_is_inverse_to_the_std_and_equivariant_to_units(seed: int, c: float) -> None:
    mean, std, truth = _case(seed)
    factor = np.array(CALIBRATORS[0].fit(mean, std, truth).parameters["factor"])
    narrow = np.array(CALIBRATORS[0].fit(mean, c * std, truth).parameters["factor"])
    scaled = np.array(CALIBRATORS[0].fit(c * mean, c * std, c * truth).parameters["factor"])
    np.testing.assert_allclose(narrow, factor / c, rtol=1e-9)
    np.testing.assert_allclose(scaled, factor, rtol=1e-6)


def test_factor_makes_standardised_errors_of_unit_size() -> None:
    mean, std, truth = _case(0)
    calibrated = CALIBRATORS[0].apply(CALIBRATORS[0].fit(mean, std, truth), std)
    np.testing.assert_allclose((((truth - mean) / calibrated) ** 2).mean((0, 2, 3)), 1, rtol=1e-12)


@pytest.mark.parametrize("case", range(3))
def test_factor_of_the_reference(golden: Path, case: int) -> None:
    import json

    with np.load(golden / "calibration" / f"case_{case}.npz") as archive:
        mean, std, truth = (
            np.moveaxis(archive[name], -1, 1).astype(np.float64) for name in ("mean", "std", "target")
        )
        values = json.loads(str(archive["meta"]))["values_per_channel"]
    fitted = CALIBRATORS[0].fit(mean, std, truth)
    expected = [v["closed_form_std_factor"] for v in values]
    np.testing.assert_allclose(fitted.parameters["factor"], expected, rtol=1e-9)
    for level in ("0.5", "0.68", "0.9", "0.95"):
        low, high = CALIBRATORS[0].interval(fitted, mean, std, float(level))
        coverage = ((truth >= low) & (truth <= high)).mean((0, 2, 3))
        np.testing.assert_allclose(coverage, [v["coverage_after"][level] for v in values], rtol=1e-9)


@every_calibrator
@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf])
def test_a_std_that_is_zero_or_not_finite_is_refused(calibrator: Calibrator, bad: float) -> None:
    mean, std, truth = _case(0)
    std[0, 0, 0, 0] = bad
    with pytest.raises(CalibrationError, match="at 1 of"):
        calibrator.fit(mean, std, truth)


@every_calibrator
def test_a_constant_truth_is_fine_but_a_perfect_prediction_is_not(calibrator: Calibrator) -> None:
    mean, std, _ = _case(0)
    calibrator.fit(mean, std, np.full_like(mean, 7.0))
    with pytest.raises(CalibrationError, match=r"no (factor|slope|step|interval) fits"):
        calibrator.fit(mean, std, mean.copy())


@every_calibrator
def test_other_shapes_channels_or_levels_are_refused(calibrator: Calibrator) -> None:
    mean, std, truth = _case(0)
    fitted = calibrator.fit(mean, std, truth)
    with pytest.raises(CalibrationError, match="one shape"):
        calibrator.fit(mean, std[:1], truth)
    with pytest.raises(CalibrationError, match="does not fit"):
        calibrator.apply(fitted, std[:, :1])
    with pytest.raises(CalibrationError, match="level"):
        calibrator.interval(fitted, mean, std, 90)
