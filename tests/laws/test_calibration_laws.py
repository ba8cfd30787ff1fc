"""Laws of calibrators: of every one that is registered."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from denoisplit.core.arrays import Float64Array, FloatArray
from denoisplit.core.errors import CalibrationError
from denoisplit.core.network.calibrating import calibrated_std, fit_squares
from denoisplit.core.network.interfaces import Calibration
from denoisplit.plugins.calibrators.scale import Scale
from tests.registered import StdCalibrator, calibrators, fits_squares

CALIBRATORS = calibrators()
SCALE = Scale(Scale.Options())


def _case(
    seed: int, true_factor: float = 1.7, shape: tuple[int, ...] = (3, 2, 24, 24)
) -> tuple[Float64Array, Float64Array, Float64Array]:
    rng = np.random.default_rng(seed)
    mean, std = rng.normal(300, 50, shape), rng.gamma(5, 2, shape)
    return mean, std, mean + true_factor * std * rng.normal(size=shape)


def _fit(
    calibrator: StdCalibrator, mean: Float64Array, std: FloatArray, truth: Float64Array, *, squares: bool
) -> Calibration:
    """From the truth, or from estimates of the squared errors, some of which are negative."""
    if not squares:
        return calibrator.fit(mean, std, truth)
    error = np.random.default_rng(5).normal(size=std.shape) * ((truth - mean) ** 2).mean() / 2
    try:
        return fit_squares(calibrator, mean, std, (truth - mean) ** 2 + error)
    except CalibrationError:
        reject()  # by chance, the noise hides the errors


every_calibrator = pytest.mark.parametrize("calibrator", CALIBRATORS.values(), ids=CALIBRATORS)
WAYS = {name: (c, False) for name, c in CALIBRATORS.items()}
WAYS |= {f"{name} from squares": (c, True) for name, c in CALIBRATORS.items() if fits_squares(c)}
every_way = pytest.mark.parametrize(("calibrator", "squares"), WAYS.values(), ids=WAYS)
dimensions = st.sampled_from([(3, 2, 24, 24), (2, 1, 600), (2, 3, 4, 12, 14)])


@every_way
@settings(max_examples=15)
@given(seed=st.integers(0, 10**6), c=st.floats(1e-3, 1e3), shape=dimensions)
def test_a_std_in_other_units_changes_nothing(
    calibrator: StdCalibrator, squares: bool, seed: int, c: float, shape: tuple[int, ...]
) -> None:
    """The map from std to error absorbs c: for a factor, it is factor / c."""
    mean, std, truth = _case(seed, shape=shape)
    first = _fit(calibrator, mean, std, truth, squares=squares)
    other = _fit(calibrator, mean, c * std, truth, squares=squares)
    np.testing.assert_allclose(
        calibrated_std(calibrator, first, mean, std),
        calibrated_std(calibrator, other, mean, c * std),
        rtol=1e-9,
    )
    ends = calibrator.interval(first, mean, std, 0.9)
    np.testing.assert_allclose(calibrator.interval(other, mean, c * std, 0.9), ends, rtol=1e-9)


@every_way
@settings(max_examples=15)
@given(seed=st.integers(0, 10**6), shape=dimensions)
def test_calibrating_twice_changes_nothing(
    calibrator: StdCalibrator, squares: bool, seed: int, shape: tuple[int, ...]
) -> None:
    mean, std, truth = _case(seed, shape=shape)
    first = _fit(calibrator, mean, std, truth, squares=squares)
    once = calibrated_std(calibrator, first, mean, std)
    second = _fit(calibrator, mean, once, truth, squares=squares)
    twice = calibrated_std(calibrator, second, mean, once)
    np.testing.assert_allclose(once, twice, rtol=1e-9)


@every_way
@settings(max_examples=15)
@given(seed=st.integers(0, 10**6), shape=dimensions, start=st.floats(0, 0.9))
def test_the_errors_of_any_tenth_of_the_pixels_count(
    calibrator: StdCalibrator, squares: bool, seed: int, shape: tuple[int, ...], start: float
) -> None:
    """Whatever their std, the smallest and the largest included: no bin is dropped, no pixel lost between."""
    mean, std, truth = _case(seed, shape=shape)
    place = np.argsort(np.argsort(std, axis=None)).reshape(std.shape) / std.size
    wild = mean + np.where((place >= start) & (place < start + 0.1), 10, 1) * (truth - mean)
    before, after = (_fit(calibrator, mean, std, t, squares=squares) for t in (truth, wild))
    assert not np.allclose(
        calibrated_std(calibrator, before, mean, std), calibrated_std(calibrator, after, mean, std), rtol=1e-3
    )


@every_way
@settings(max_examples=10)
@given(seed=st.integers(0, 10**6), shape=dimensions)
def test_what_was_written_and_read_is_the_same_map(
    calibrator: StdCalibrator, squares: bool, seed: int, shape: tuple[int, ...]
) -> None:
    mean, std, truth = _case(seed, shape=shape)
    fitted = _fit(calibrator, mean, std, truth, squares=squares)
    plain = json.dumps({name: list(numbers) for name, numbers in fitted.parameters.items()}, allow_nan=False)
    read = Calibration(fitted.component, json.loads(plain))
    np.testing.assert_array_equal(
        calibrated_std(calibrator, read, mean, std), calibrated_std(calibrator, fitted, mean, std)
    )


@every_calibrator
@pytest.mark.parametrize("level", [0.5, 0.68, 0.9, 0.95])
def test_intervals_cover_as_often_as_they_say(calibrator: StdCalibrator, level: float) -> None:
    mean, std, truth = _case(3, true_factor=0.4, shape=(4, 2, 6, 40, 40))
    low, high = calibrator.interval(calibrator.fit(mean, std, truth), mean, std, level)
    covered = ((truth >= low) & (truth <= high)).mean()
    assert abs(covered - level) < 4 * math.sqrt(level * (1 - level) / truth.size)


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), c=st.floats(1e-3, 1e3))
def test_factor_is_inverse_to_the_std_and_equivariant_to_units(seed: int, c: float) -> None:
    mean, std, truth = _case(seed)
    factor = np.array(SCALE.fit(mean, std, truth).parameters["factor"])
    narrow = np.array(SCALE.fit(mean, c * std, truth).parameters["factor"])
    scaled = np.array(SCALE.fit(c * mean, c * std, c * truth).parameters["factor"])
    np.testing.assert_allclose(narrow, factor / c, rtol=1e-9)
    np.testing.assert_allclose(scaled, factor, rtol=1e-6)


def test_factor_makes_standardised_errors_of_unit_size() -> None:
    mean, std, truth = _case(0)
    calibrated = SCALE.apply(SCALE.fit(mean, std, truth), std)
    np.testing.assert_allclose((((truth - mean) / calibrated) ** 2).mean((0, 2, 3)), 1, rtol=1e-12)


@pytest.mark.parametrize("case", range(3))
def test_factor_of_the_reference(golden: Path, case: int) -> None:
    with np.load(golden / "calibration" / f"case_{case}.npz") as archive:
        mean, std, truth = (
            np.moveaxis(archive[name], -1, 1).astype(np.float64) for name in ("mean", "std", "target")
        )
        values = json.loads(str(archive["meta"]))["values_per_channel"]
    fitted = SCALE.fit(mean, std, truth)
    expected = [v["closed_form_std_factor"] for v in values]
    np.testing.assert_allclose(fitted.parameters["factor"], expected, rtol=1e-9)
    for level in ("0.5", "0.68", "0.9", "0.95"):
        low, high = SCALE.interval(fitted, mean, std, float(level))
        coverage = ((truth >= low) & (truth <= high)).mean((0, 2, 3))
        np.testing.assert_allclose(coverage, [v["coverage_after"][level] for v in values], rtol=1e-9)


@every_calibrator
@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf])
def test_a_std_that_is_zero_or_not_finite_is_refused(calibrator: StdCalibrator, bad: float) -> None:
    mean, std, truth = _case(0)
    std[0, 0, 0, 0] = bad
    with pytest.raises(CalibrationError, match="at 1 of"):
        calibrator.fit(mean, std, truth)


@every_calibrator
def test_a_constant_truth_is_fine_but_a_perfect_prediction_is_not(calibrator: StdCalibrator) -> None:
    mean, std, _ = _case(0)
    calibrator.fit(mean, std, np.full_like(mean, 7.0))
    with pytest.raises(CalibrationError, match="fits these errors"):
        calibrator.fit(mean, std, mean.copy())


@every_calibrator
def test_other_shapes_channels_or_levels_are_refused(calibrator: StdCalibrator) -> None:
    mean, std, truth = _case(0)
    fitted = calibrator.fit(mean, std, truth)
    with pytest.raises(CalibrationError, match="one shape"):
        calibrator.fit(mean, std[:1], truth)
    with pytest.raises(CalibrationError, match="does not fit"):
        calibrated_std(calibrator, fitted, mean[:, :1], std[:, :1])
    with pytest.raises(CalibrationError, match="level"):
        calibrator.interval(fitted, mean, std, 90)
