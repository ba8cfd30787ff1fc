"""Laws of the calibration curves and of the scores of the spread."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm

from denoisplit.core.arrays import Float64Array
from denoisplit.core.assessment.calibration_curve import (
    CalibrationCurve,
    expected_normalised_calibration_error,
    quantile_curve,
)
from denoisplit.core.assessment.coverage import coverage, gaussian_crps, gaussian_nll
from denoisplit.core.errors import CalibrationError
from tests.assessment.equal_width import equal_width_curve

Maker = Callable[..., CalibrationCurve]
every_curve = pytest.mark.parametrize("make", [equal_width_curve, quantile_curve])
spreads = arrays(
    np.float64, st.integers(1, 60), elements=st.sampled_from([0.0, 0.5, 1.0, 1.5, 2.0, 7.25, 1e4])
)


def _gaussian(pixels: int) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Mean, std and truth of which the std is right."""
    random = np.random.default_rng(0)
    std = random.uniform(1, 4, pixels)
    mean = random.uniform(-10, 10, pixels)
    return mean, std, mean + std * random.normal(size=pixels)


@every_curve
@settings(max_examples=60)
@given(std=spreads, bins=st.integers(1, 12))
def test_every_pixel_is_in_the_one_bin_whose_edges_hold_it(make: Maker, std: Float64Array, bins: int) -> None:
    error = np.sqrt(np.arange(1.0, std.size + 1))
    curve = make(np.zeros_like(std), std, error, bins=bins)
    filled = curve.filled
    assert len(curve.count) == bins
    inside = (curve.edges[:-1, None] <= std) & (std < curve.edges[1:, None])
    inside[-1] |= std == std.max()
    np.testing.assert_array_equal(curve.count, inside.sum(axis=1))
    assert curve.count.sum() == std.size
    assert (curve.count[filled] * curve.rmse[filled] ** 2).sum() == pytest.approx((error**2).sum())
    assert (curve.count[filled] * curve.rmv[filled] ** 2).sum() == pytest.approx((std**2).sum())
    assert (curve.rmv[filled] >= curve.edges[:-1][filled] * (1 - 1e-12)).all()
    assert (curve.rmv[filled] <= curve.edges[1:][filled] * (1 + 1e-12)).all()
    assert np.isnan(curve.rmv[~filled]).all()
    assert np.isnan(curve.rmse[~filled]).all()


def test_quantile_bins_share_the_pixels_evenly() -> None:
    mean, std, truth = _gaussian(3000)
    assert set(quantile_curve(mean, std, truth, bins=30).count) == {100}


@every_curve
def test_the_curve_of_a_right_spread_is_the_diagonal(make: Maker) -> None:
    curve = make(*_gaussian(200_000), bins=10)
    np.testing.assert_allclose(curve.rmse, curve.rmv, rtol=0.03)
    assert expected_normalised_calibration_error(curve) < 0.02


@every_curve
def test_ence_of_a_spread_that_is_too_small_by_a_factor(make: Maker) -> None:
    mean, std, _ = _gaussian(500)
    assert expected_normalised_calibration_error(make(mean, std, mean + 3 * std)) == pytest.approx(2)
    assert expected_normalised_calibration_error(make(mean, std, mean)) == pytest.approx(1)


def test_a_model_without_spread_has_defined_scores() -> None:
    zero, truth = np.zeros(40), np.linspace(-3, 5, 40)
    assert expected_normalised_calibration_error(quantile_curve(zero, zero, truth)) == math.inf
    assert expected_normalised_calibration_error(quantile_curve(zero, zero, zero)) == 0
    assert gaussian_crps(zero, zero, truth) == pytest.approx(np.abs(truth).mean())
    assert [c.fraction for c in coverage(zero, zero, zero)] == [1, 1, 1, 1]
    with pytest.raises(CalibrationError, match="std is 0"):
        gaussian_nll(zero, zero, truth)


def test_coverage_of_a_right_spread_is_the_level() -> None:
    for found in coverage(*_gaussian(200_000), levels=(0.1, 0.5, 0.68, 0.9, 0.95, 0.99)):
        assert found.fraction == pytest.approx(found.level, abs=0.005)


def test_nll_is_that_of_scipy() -> None:
    mean, std, truth = _gaussian(300)
    assert gaussian_nll(mean, std, truth) == pytest.approx(-np.mean(norm.logpdf(truth, mean, std)))


@settings(max_examples=20)
@given(error=st.floats(-6, 6), spread=st.floats(0.1, 3))
def test_crps_is_the_integral_of_the_squared_distance_of_distributions(error: float, spread: float) -> None:
    x = np.linspace(-40, 40, 80_001)
    expected = np.trapezoid((norm.cdf(x, 0, spread) - (x >= error)) ** 2, x)
    assert gaussian_crps(np.zeros(1), np.array([spread]), np.array([error])) == pytest.approx(
        expected, abs=2e-3
    )


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_a_bad_spread_is_refused(bad: float) -> None:
    for score in (equal_width_curve, quantile_curve, coverage, gaussian_nll, gaussian_crps):
        with pytest.raises(CalibrationError, match=r"std must be finite and >= 0"):
            score(np.zeros(2), np.array([1.0, bad]), np.zeros(2))
        with pytest.raises(CalibrationError, match="one shape"):
            score(np.zeros(2), np.zeros(3), np.zeros(2))
