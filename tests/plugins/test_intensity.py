"""The calibrator whose factor follows the predicted mean."""

import numpy as np
import pytest

from denoisplit.core.arrays import Float64Array, FloatArray
from denoisplit.core.errors import CalibrationError
from denoisplit.plugins.calibrators.intensity import Intensity
from denoisplit.plugins.calibrators.log_linear import certain_knots
from denoisplit.plugins.calibrators.scale import Scale

INTENSITY, SCALE = Intensity(Intensity.Options()), Scale(Scale.Options())


def factor(mean: Float64Array) -> Float64Array:
    """From 0.8 in the dark to 3 where it is bright; not a line between any two knots."""
    grown: Float64Array = 0.8 + 2.2 / (1 + np.exp(-(mean - 300) / 60))
    return grown


def images(
    seed: int = 0, pixels: int = 60_000, offset: float = 100
) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Mean, std and error [1 1 pixels] of a dark background with bright structures."""
    rng = np.random.default_rng(seed)
    mean = offset + rng.gamma(1.2, 120, (1, 1, pixels))
    std = rng.gamma(5, 2, mean.shape)
    return mean, std, factor(mean) * std * rng.normal(size=mean.shape)


def test_the_factor_is_found_along_the_mean_and_held_beyond_it() -> None:
    mean, std, error = images()
    fitted = INTENSITY.fit(mean, std, mean + error)
    seen = np.array([105.0, 200.0, 300.0, 500.0]).reshape(1, 1, -1)
    np.testing.assert_allclose(INTENSITY.apply(fitted, seen, np.ones_like(seen)), factor(seen), rtol=0.1)
    ends = np.array([fitted.parameters["factor_0"][k] for k in (0, -1)])
    beyond = np.array([-1e5, 1e7]).reshape(1, 1, -1)
    np.testing.assert_allclose(INTENSITY.apply(fitted, beyond, np.ones_like(beyond)).ravel(), ends)


def test_dark_and_bright_pixels_are_covered_alike_as_by_one_factor_they_are_not() -> None:
    mean, std, error = images(1)
    bright = mean > np.quantile(mean, 0.8)

    def covered(ends: tuple[FloatArray, FloatArray]) -> tuple[float, float]:
        inside = (ends[0] <= mean + error) & (mean + error <= ends[1])
        return float(inside[bright].mean()), float(inside[~bright].mean())

    own = covered(INTENSITY.interval(INTENSITY.fit(mean, std, mean + error), mean, std, 0.9))
    assert own == pytest.approx((0.9, 0.9), abs=0.015)
    one = covered(SCALE.interval(SCALE.fit(mean, std, mean + error), mean, std, 0.9))
    assert max(abs(share - 0.9) for share in one) > 0.05


def test_estimates_of_squared_errors_give_what_a_truth_gives() -> None:
    """Noise makes half of the estimates of dark pixels negative."""
    mean, std, error = images(2)
    squares = error**2 + np.random.default_rng(3).normal(0, 300, error.shape)
    assert (squares < 0).mean() > 0.3
    found, truth = INTENSITY.fit_squares(mean, std, squares), INTENSITY.fit(mean, std, mean + error)
    stds = [INTENSITY.apply(one, mean, std) for one in (found, truth)]
    assert np.median(abs(stds[0] / stds[1] - 1)) < 0.1


def test_a_background_without_certain_errors_is_joined_with_what_is_brighter() -> None:
    mean, std, error = images(4)
    error[mean < 180] *= 1e-3
    squares = error**2 + np.random.default_rng(5).normal(0, 50, error.shape)
    fitted = INTENSITY.fit_squares(mean, std, squares)
    assert 2 <= len(fitted.parameters["mean_0"]) < 8
    assert INTENSITY.apply(fitted, mean, std).min() > 0


def test_few_pixels_or_one_intensity_have_a_single_factor() -> None:
    mean, std, error = images(6, pixels=500)
    flat = np.full_like(mean, 7.0)
    for seen in (mean, flat):
        fitted = INTENSITY.fit(seen, std, seen + error)
        (one,) = fitted.parameters["factor_0"]
        assert one == pytest.approx(SCALE.fit(seen, std, seen + error).parameters["factor"][0])


def test_single_precision_comes_back_and_loses_nothing_inside() -> None:
    mean, std, error = (x.astype(np.float32) for x in images(7, pixels=5000, offset=30_000))
    fitted = INTENSITY.fit(mean, std, mean + error)
    calibrated = INTENSITY.apply(fitted, mean, std)
    assert calibrated.dtype == np.float32
    double = INTENSITY.fit(mean.astype(float), std.astype(float), (mean + error).astype(float))
    assert fitted.parameters["factor_0"] == pytest.approx(double.parameters["factor_0"], rel=1e-9)


def test_the_mean_has_to_be_that_of_the_errors() -> None:
    mean, std, error = images(8, pixels=500)
    with pytest.raises(CalibrationError, match="mean and std must be"):
        INTENSITY.fit_squares(mean[..., :9], std, error**2)
    mean[0, 0, 3] = np.nan
    with pytest.raises(CalibrationError, match="mean is not finite at 1 of 500"):
        INTENSITY.fit_squares(mean, std, error**2)


def test_a_bin_that_may_as_well_be_zero_is_joined_with_the_next() -> None:
    seen = np.linspace(0, 1, 3000)
    noise = np.random.default_rng(0).normal(size=3000)
    score: Float64Array = np.where(seen < 0.3, noise - noise.mean(), 1 + 0.01 * noise)
    bins = np.split(seen, 10)
    found = certain_knots(seen, score, 10)
    np.testing.assert_allclose(found[0], np.mean(bins[:4]), rtol=1e-3)
    np.testing.assert_allclose(found[1:], [one.mean() for one in bins[4:]], rtol=1e-3)
