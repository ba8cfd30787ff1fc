"""What each calibrator does beyond the laws of its kind."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from denoisplit.core.arrays import Float64Array
from denoisplit.core.errors import CalibrationError
from denoisplit.core.network.interfaces import Calibration, Calibrator
from denoisplit.plugins.calibrators.affine import Affine
from denoisplit.plugins.calibrators.conformal import Conformal
from denoisplit.plugins.calibrators.isotonic import Isotonic
from denoisplit.plugins.calibrators.scale import Scale
from denoisplit.plugins.calibrators.spread_bins import fill_bins

SCALE, AFFINE = Scale(Scale.Options()), Affine(Affine.Options())
ISOTONIC, CONFORMAL = Isotonic(Isotonic.Options()), Conformal(Conformal.Options())
FROM_SQUARES: list[Calibrator] = [SCALE, AFFINE, ISOTONIC]
EVERY: list[Calibrator] = [*FROM_SQUARES, CONFORMAL]
every_calibrator = pytest.mark.parametrize("calibrator", EVERY, ids=lambda c: type(c).__name__)
from_squares = pytest.mark.parametrize("calibrator", FROM_SQUARES, ids=lambda c: type(c).__name__)


def row(values: Float64Array) -> Float64Array:
    """One channel of one field."""
    return values.reshape(1, 1, -1)


def spreads(pixels: int, seed: int = 0) -> tuple[Float64Array, Float64Array]:
    """A predicted std [1 1 n], and a normal draw of the same shape."""
    rng = np.random.default_rng(seed)
    return row(rng.uniform(1, 6, pixels)), row(rng.normal(size=pixels))


@settings(max_examples=30)
@given(
    std=st.lists(st.sampled_from([0.5, 1.0, 1.5, 2.0, 7.0, 7.25]), min_size=1, max_size=300),
    bins=st.integers(1, 40),
)
def test_every_pixel_is_in_one_bin_and_none_is_empty(std: list[float], bins: int) -> None:
    spread, squares = np.array(std), np.arange(1.0, len(std) + 1)
    found = fill_bins(spread, squares, bins)
    upper = np.append(found.lower[1:], np.inf)
    inside = (found.lower[:, None] <= spread) & (spread < upper[:, None])
    assert 1 <= len(found.lower) <= bins
    np.testing.assert_array_equal(found.count, inside.sum(1))
    assert found.count.min() > 0
    assert found.count.sum() == len(std)
    for name, values in (
        ("mean", spread),
        ("square", spread**2),
        ("error", squares),
        ("error_square", squares**2),
    ):
        expected = [values[members].mean() for members in inside]
        np.testing.assert_allclose(getattr(found, name), expected, rtol=1e-12)
    assert found.whole_error == pytest.approx(squares.mean())


def test_few_pixels_have_few_bins() -> None:
    spread = np.linspace(1, 2, 100)
    found = fill_bins(spread, spread**2, 50)
    assert len(found.count) == 5
    assert (found.count == 20).all()


@pytest.mark.parametrize(("slope", "floor"), [(1.0, 0.0), (0.4, 3.0), (2.5, 0.7)])
def test_affine_finds_slope_and_floor(slope: float, floor: float) -> None:
    std, draw = spreads(200_000)
    found = AFFINE.fit(np.zeros_like(std), std, (slope * std + floor) * draw).parameters
    assert found["slope"][0] == pytest.approx(slope, abs=0.02)
    assert found["floor"][0] == pytest.approx(floor, abs=0.06)


def test_after_affine_calibration_the_real_error_is_the_predicted_one_by_regression() -> None:
    std, draw = spreads(30_000)
    truth = np.sqrt(9 + std**2) * draw
    calibrated = AFFINE.apply(AFFINE.fit(np.zeros_like(std), std, truth), std).ravel()
    # Bins of 1000 pixels, sorted by std; numpy's least squares.
    parts = np.array_split(np.argsort(calibrated), 30)
    rmv = [math.sqrt(np.mean(calibrated[part] ** 2)) for part in parts]
    rmse = [math.sqrt(np.mean(truth.ravel()[part] ** 2)) for part in parts]
    np.testing.assert_allclose(np.polyfit(rmv, rmse, 1), (1, 0), atol=1e-6)


def test_a_negative_floor_or_slope_is_none() -> None:
    std, draw = spreads(100_000)
    steep = AFFINE.fit(np.zeros_like(std), std, (2 * std - 1.5) * draw)
    assert steep.parameters["floor"] == (0.0,)
    assert AFFINE.apply(steep, np.full_like(std, 1e-6)).min() > 0
    falling = AFFINE.fit(np.zeros_like(std), std, (8 - std) * draw)
    assert falling.parameters["slope"] == (0.0,)
    assert falling.parameters["floor"][0] == pytest.approx(math.sqrt(np.mean(((8 - std) * draw) ** 2)))


def test_isotonic_follows_a_bent_relation_that_no_line_does() -> None:
    std, draw = spreads(400_000)
    real = np.where(std < 3, 1.0, std**2 / 4)
    calibrated = ISOTONIC.apply(ISOTONIC.fit(np.zeros_like(std), std, real * draw), std)
    assert np.median(abs(calibrated / real - 1)) < 0.02
    line = AFFINE.apply(AFFINE.fit(np.zeros_like(std), std, real * draw), std)
    assert np.median(abs(line / real - 1)) > 0.1


@every_calibrator
def test_a_std_that_is_no_number_stays_none(calibrator: Calibrator) -> None:
    std, draw = spreads(3000)
    fitted = calibrator.fit(np.zeros_like(std), std, std * draw)
    std[0, 0, 7] = np.nan
    found = np.isnan(calibrator.interval(fitted, np.zeros_like(std), std, 0.9)[1])
    assert np.flatnonzero(found).tolist() == [7]


def test_isotonic_pools_adjacent_violators() -> None:
    """Textbook example: means 1, 3, 2, 4 of equal weight become 1, 2.5, 2.5, 4."""
    calibrator = Isotonic(Isotonic.Options(bins=10))
    std = row(np.repeat([1.0, 2.0, 3.0, 4.0], 50))
    squares = row(np.repeat([1.0, 3.0, 2.0, 4.0], 50))
    fitted = calibrator.fit_squares(std, squares)
    assert fitted.parameters["from_0"] == (1.0, 2.0, 4.0)
    np.testing.assert_allclose(np.square(fitted.parameters["std_0"]), (1, 2.5, 4))
    outside = calibrator.apply(fitted, row(np.array([0.1, 3.9, 99.0])))
    np.testing.assert_allclose(outside.ravel() ** 2, (1, 2.5, 4))


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6))
def test_isotonic_never_falls(seed: int) -> None:
    std, draw = spreads(3000, seed)
    calibrated = ISOTONIC.apply(ISOTONIC.fit(np.zeros_like(std), std, draw / std), std).ravel()
    assert (np.diff(calibrated[np.argsort(std.ravel())]) >= 0).all()


@pytest.mark.parametrize("level", [0.5, 0.68, 0.9, 0.95])
def test_conformal_intervals_of_errors_that_are_not_gaussian(level: float) -> None:
    rng = np.random.default_rng(1)
    std = row(rng.uniform(1, 6, 80_000))
    truth = std * row(rng.standard_t(2, 80_000))
    zero = np.zeros_like(std)
    low, high = CONFORMAL.interval(CONFORMAL.fit(zero, std, truth), zero, std, level)
    new = std * row(rng.standard_t(2, 80_000))
    assert ((low <= new) & (new <= high)).mean() == pytest.approx(level, abs=0.01)
    low, high = SCALE.interval(SCALE.fit(zero, std, truth), zero, std, level)
    assert ((low <= new) & (new <= high)).mean() > min(level + 0.02, 0.97)


@pytest.mark.parametrize(("pixels", "level"), [(9, 0.9), (19, 0.7), (13, 0.9)])
def test_conformal_intervals_hold_for_small_sets(pixels: int, level: float) -> None:
    """A new pixel is covered with the probability that ranks give: ceil((n + 1) p) / (n + 1)."""
    rng = np.random.default_rng(2)
    one, covered = np.ones((1, 1, pixels)), []
    for _ in range(1500):
        fitted = CONFORMAL.fit(0 * one, one, row(rng.normal(size=pixels)))
        half = CONFORMAL.interval(fitted, 0 * one, one, level)[1][0, 0, 0]
        covered.append(2 * norm.cdf(half) - 1)
    expected = math.ceil((pixels + 1) * level - 1e-9) / (pixels + 1)
    assert np.mean(covered) == pytest.approx(expected, abs=0.01)


def test_conformal_says_which_levels_so_few_pixels_allow() -> None:
    one = np.ones((1, 1, 9))
    fitted = CONFORMAL.fit(0 * one, one, row(np.arange(1.0, 10)))
    assert CONFORMAL.interval(fitted, 0 * one, one, 0.9)[1][0, 0, 0] == 9
    with pytest.raises(CalibrationError, match=r"allow intervals up to 0\.9 \(got 0\.95\)"):
        CONFORMAL.interval(fitted, 0 * one, one, 0.95)
    with pytest.raises(CalibrationError, match="too few pixels"):
        CONFORMAL.fit(0 * one[..., :2], one[..., :2], row(np.arange(1.0, 3)))


def test_conformal_needs_the_errors_themselves() -> None:
    std, draw = spreads(100)
    with pytest.raises(CalibrationError, match=r"Conformal needs clean references.*Use another calibrator"):
        CONFORMAL.fit_squares(std, draw**2)


@from_squares
def test_squared_errors_are_as_good_as_a_truth(calibrator: Calibrator) -> None:
    std, draw = spreads(3000)
    truth = (0.5 + std) * draw
    fitted = calibrator.fit(np.zeros_like(std), std, truth)
    same = calibrator.fit_squares(std, truth**2)
    for name, numbers in fitted.parameters.items():
        np.testing.assert_allclose(same.parameters[name], numbers, rtol=1e-9)


@from_squares
def test_estimates_that_are_negative_in_places_give_nearly_the_same(calibrator: Calibrator) -> None:
    std, draw = spreads(200_000)
    squares = ((0.5 + std) * draw) ** 2
    noise = 20 * np.random.default_rng(5).normal(size=std.shape)
    assert (squares + noise < 0).mean() > 0.1
    fitted, noisy = (calibrator.fit_squares(std, array) for array in (squares, squares + noise))
    expected, found = (calibrator.apply(f, std) for f in (fitted, noisy))
    assert np.isfinite(found).all()
    assert found.min() > 0
    assert np.median(abs(found / expected - 1)) < 0.05


@from_squares
def test_estimates_without_any_error_are_refused(calibrator: Calibrator) -> None:
    std, draw = spreads(500)
    with pytest.raises(CalibrationError, match=r"no (factor|slope|step) fits these errors"):
        calibrator.fit_squares(std, -(draw**2))
    with pytest.raises(CalibrationError, match="squared error is not finite at 1 of"):
        calibrator.fit_squares(std, np.where(np.arange(500) == 3, np.nan, draw))
    with pytest.raises(CalibrationError, match="one shape"):
        calibrator.fit_squares(std, draw[..., :3])


def test_isotonic_steps_are_above_zero_where_estimates_are_not() -> None:
    std = row(np.repeat([1.0, 2.0, 3.0], 100))
    fitted = ISOTONIC.fit_squares(std, row(np.repeat([-1.0, 4.0, 9.0], 100)))
    found = ISOTONIC.apply(fitted, row(np.array([1.0, 2.0, 3.0]))).ravel()
    np.testing.assert_allclose(found**2, (1.5, 1.5, 9))


@every_calibrator
@pytest.mark.parametrize("level", [0.68, 0.9])
def test_a_constant_std_gets_the_right_size(calibrator: Calibrator, level: float) -> None:
    _, draw = spreads(50_000)
    std, zero = np.full_like(draw, 0.01), np.zeros_like(draw)
    fitted = calibrator.fit(zero, std, 3 * draw)
    assert calibrator.apply(fitted, std)[0, 0, 0] == pytest.approx(3, rel=0.02)
    assert calibrator.interval(fitted, zero, std, level)[1][0, 0, 0] == pytest.approx(
        3 * norm.ppf((1 + level) / 2), rel=0.02
    )


@every_calibrator
def test_what_is_stored_is_finite_for_any_few_pixels(calibrator: Calibrator) -> None:
    for pixels in (4, 21, 45, 400):
        std, draw = spreads(pixels)
        fitted = calibrator.fit(np.zeros_like(std), std.round(), draw)
        json.dumps({name: list(numbers) for name, numbers in fitted.parameters.items()}, allow_nan=False)


@every_calibrator
def test_the_dtype_stays(calibrator: Calibrator) -> None:
    std, draw = (array.astype(np.float32) for array in spreads(3000))
    fitted = calibrator.fit(np.zeros_like(std), std, draw)
    assert calibrator.apply(fitted, std).dtype == np.float32


@every_calibrator
def test_a_calibration_of_another_calibrator_is_refused(calibrator: Calibrator) -> None:
    std, draw = spreads(100)
    fitted = calibrator.fit(np.zeros_like(std), std, draw)
    foreign = Calibration("other/one", {"gain": (1.0,)})
    with pytest.raises(CalibrationError, match="other/one"):
        calibrator.apply(foreign, std)
    with pytest.raises(CalibrationError, match="does not fit"):
        calibrator.apply(fitted, np.concatenate([std, std], axis=1))
    with pytest.raises(CalibrationError, match="between 0 and 1"):
        calibrator.interval(fitted, draw, std, 90)
    with pytest.raises(CalibrationError, match=r"no (factor|slope|step|interval) fits"):
        calibrator.fit(draw, std, draw.copy())
