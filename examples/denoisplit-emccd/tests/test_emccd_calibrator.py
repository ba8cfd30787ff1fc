import numpy as np
import pytest
from denoisplit.core.arrays import FloatArray
from denoisplit.core.errors import CalibrationError
from denoisplit.core.network.interfaces import Calibration
from denoisplit.testing import CalibratorTests

from denoisplit_emccd.calibrator import Quantile


class TestQuantile(CalibratorTests):
    component = Quantile


def fields(factor: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    rng = np.random.default_rng(0)
    mean, std = rng.normal(300, 50, (2, 1, 60, 60)), rng.gamma(5, 2, (2, 1, 60, 60))
    return mean, std, mean + factor * std * rng.normal(size=mean.shape)


def test_the_factor_is_that_of_the_errors() -> None:
    calibrator = Quantile(Quantile.Options())
    assert calibrator.fit(*fields(1.7)).parameters["factor"] == pytest.approx([1.7], rel=0.03)


def test_a_few_hot_pixels_do_not_decide() -> None:
    mean, std, truth = fields(1.7)
    calibrator = Quantile(Quantile.Options())
    hot = truth.copy()
    hot[0, 0, 0, :36] += 1e6  # half a percent of the pixels
    before, after = (calibrator.fit(mean, std, x).parameters["factor"][0] for x in (truth, hot))
    assert after == pytest.approx(before, rel=0.03)


@pytest.mark.parametrize("level", [0.0, 1.0, 90.0])
def test_a_level_that_is_no_probability_is_refused(level: float) -> None:
    calibrator, (mean, std, truth) = Quantile(Quantile.Options()), fields(1.0)
    with pytest.raises(CalibrationError, match="between 0 and 1"):
        calibrator.interval(calibrator.fit(mean, std, truth), mean, std, level)


def test_a_calibration_of_another_calibrator_is_refused() -> None:
    other = Calibration("denoisplit/affine", {"slope": [1.0]})
    with pytest.raises(CalibrationError, match="denoisplit/affine"):
        Quantile(Quantile.Options()).apply(other, np.ones((1, 1, 2, 2)))
